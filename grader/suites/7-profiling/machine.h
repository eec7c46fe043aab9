// What lab 7's units find around them on the host: CPUs that are host threads, a symbol table
// of three kernel functions, user memory that is the host's, and stacks to walk.
#pragma once
#include <string>
#include <vector>

#include "kernel/arch/paging.h"
#include "kernel/prof/sampler.h"
#include "kernel/sched/thread.h"

// Kernel functions at kKernelBase + 0x1000: "alpha", then "beta", 0x100 each, then "gamma(int)"
// of one byte, then nothing.
inline constexpr VirtAddr kAlpha = kKernelBase + 0x1000, kBeta = kAlpha + 0x100;
inline constexpr VirtAddr kGamma = kBeta + 0x100;

class TextString final : public TextSink {
  public:
    void write(std::string_view more) override { text += more; }
    std::string text;
};

// The samples taken out now, a line each.
std::vector<std::string> take_samples();

// A chain of frames, innermost first, that return to `returns` one after the other.
class FakeStack {
  public:
    explicit FakeStack(const std::vector<VirtAddr>& returns);
    VirtAddr rbp() const { return reinterpret_cast<VirtAddr>(words_.data()); }
    uint64_t& word(size_t i) { return words_[i]; }  // 2n: frame n's link, 2n + 1: its return

  private:
    std::vector<uint64_t> words_;
};

// The CPUs of one test, each with an idle thread that runs.
class FakeMachine {
  public:
    explicit FakeMachine(uint32_t count);
    ~FakeMachine();
    // The calling host thread is CPU `index`, running `thread` (nullptr: idle).
    void be(uint32_t index, Thread* thread);

  private:
    Thread idle_[kMaxCpus];
};

// A thread of a program (or of the kernel alone), and where a tick finds it.
struct Ticked {
    explicit Ticked(const char* name, bool program = true);
    void tick_in_user(VirtAddr rip, VirtAddr rbp);
    void tick_in_kernel(VirtAddr rip, VirtAddr rbp);

    Thread thread;
    TrapFrame user{};
};

// May sampler_user_word be asked for this address? Set by tests; nullptr: for none.
extern bool (*user_memory)(VirtAddr address);
