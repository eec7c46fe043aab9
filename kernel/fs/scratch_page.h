// ScratchPage: a page of kernel memory for as long as a scope lasts, taken when first
// asked for. Paths are up to a page long and a kernel stack is four.
#pragma once
#include <utility>

#include "kernel/mm/frame.h"

class ScratchPage {
  public:
    // Takes over a reference of `frame`.
    explicit ScratchPage(Frame* frame = nullptr) : frame_(frame) {}
    ScratchPage(ScratchPage&& other) : frame_(std::exchange(other.frame_, nullptr)) {}
    ScratchPage& operator=(ScratchPage&& other) {
        std::swap(frame_, other.frame_);
        return *this;
    }
    ~ScratchPage() {
        if (frame_ != nullptr) frame_unref(frame_);
    }
    Result<char*> get() {
        if (frame_ == nullptr) frame_ = TRY(frame_alloc());
        return data();
    }
    char* data() const { return static_cast<char*>(frame_data(frame_)); }  // after get()

  private:
    Frame* frame_;
};
