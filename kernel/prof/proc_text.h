// ProcText: text that grows. What a file of /proc says is formatted into one when the
// file is opened; reads then serve a consistent snapshot at any offset.
#pragma once
#include <cstddef>
#include <cstring>
#include <string_view>

#include "kernel/base/format.h"
#include "kernel/mm/slab.h"

class ProcText final : public TextSink {
  public:
    ProcText() = default;
    ProcText(const ProcText&) = delete;
    ProcText& operator=(const ProcText&) = delete;
    ~ProcText() { kfree(memory_, capacity_); }

    // May be called under a Mutex. Under a spin lock only within what reserve() provided.
    void write(std::string_view text) override {
        if (!reserve(text.size())) return;
        memcpy(memory_ + size_, text.data(), text.size());
        size_ += text.size();
    }
    // Makes room for `more` bytes; false: memory is out, and complete() too from now on.
    bool reserve(size_t more);

    bool complete() const { return !failed_; }
    std::string_view text() const { return {memory_, size_}; }

  private:
    char* memory_ = nullptr;
    size_t size_ = 0, capacity_ = 0;
    bool failed_ = false;
};
