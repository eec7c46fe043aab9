// ScratchPage: a page of kernel memory for as long as a scope lasts, taken when first
// asked for. Paths are up to a page long and a kernel stack is four.
#pragma once
#include "kernel/mm/frame.h"

class ScratchPage {
  public:
    ScratchPage() = default;
    ScratchPage(const ScratchPage&) = delete;
    ScratchPage& operator=(const ScratchPage&) = delete;
    ~ScratchPage() {
        if (frame_ != nullptr) frame_unref(frame_);
    }
    Result<char*> get() {
        if (frame_ == nullptr) frame_ = TRY(frame_alloc());
        return static_cast<char*>(frame_data(frame_));
    }

  private:
    Frame* frame_ = nullptr;
};
