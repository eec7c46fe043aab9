// The sampling profiler (contracts in kernel/prof/sampler.h).
//
// Each CPU has its own ring, which only its own timer interrupt fills and only one reader
// empties, so there are no locks: a sample is written, then `head` goes up with release
// order; it is read, then `tail` goes up. A sample is never seen half written, nor written
// over while it is read. A full ring counts what it drops: a profile that is silently cut
// short would lie.
//
// A sample is one list of addresses, innermost first: kernel code, if it was interrupted
// there, then the program that called it. Both walks follow frame pointers, and user memory
// may hold anything at all, so each link is checked: aligned, mapped, further out.
//
// Code that runs with interrupts off is blamed on where they come on again, unless it is an NMI
// that samples: then that, and not the tick, is the one writer.
#include "kernel/prof/sampler.h"

#include <atomic>
#include <cstring>
#include <span>

#include "kernel/arch/paging.h"
#include "kernel/arch/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/thread.h"

namespace {

constexpr size_t kDepth = 32, kKernelDepth = 20;
constexpr uint32_t kSamples = 1024;  // a CPU

struct Sample {
    char name[16];      // of the thread
    size_t depth;
    VirtAddr stack[kDepth];  // innermost first
};

struct alignas(kCacheLine) Ring {
    Sample* samples = nullptr;        // kSamples of them
    std::atomic<uint32_t> head{0};    // written so far, by the tick
    std::atomic<uint64_t> dropped{0};
    std::atomic<bool> busy{false};    // a tick is in sampler_tick
    alignas(kCacheLine) std::atomic<uint32_t> tail{0};  // read so far, by the reader
};

Ring rings[kMaxCpus];
std::atomic<bool> sampling{false};

// `busy` before `sampling`, against sampling before busy in sampler_set: one of the two
// sees the other.
class Busy {
  public:
    explicit Busy(Ring& ring) : ring_(ring) { ring_.busy = true; }
    ~Busy() { ring_.busy.store(false, std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

  private:
    Ring& ring_;
};

size_t walk_user(const TrapFrame& frame, std::span<VirtAddr> out) {
    size_t count = 0;
    uint64_t next = frame.rip;
    for (VirtAddr rbp = frame.rbp, outer; count < out.size(); rbp = outer) {
        out[count++] = next;
        if (!sampler_user_word(rbp, outer) || !sampler_user_word(rbp + 8, next)) break;
        if (outer <= rbp && outer != 0) break;
        if (next == 0) break;
    }
    return count;
}

void record(Ring& ring, const Thread& thread, const TrapFrame& frame) {
    uint32_t head = ring.head.load(std::memory_order_relaxed);
    if (head - ring.tail.load(std::memory_order_acquire) == kSamples) {
        ring.dropped.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    Sample& sample = ring.samples[head % kSamples];
    memcpy(sample.name, thread.name, sizeof sample.name);
    std::span<VirtAddr> stack(sample.stack);
    sample.depth = 0;
    if (!frame.from_user()) {
        // The leaf is where the interrupt hit; the walk gives its callers.
        stack[0] = frame.rip;
        sample.depth =
            1 + walk_stack(frame.rbp, is_kernel_stack, stack.subspan(1, kKernelDepth - 1));
    }
    if (thread.process != nullptr)
        sample.depth += walk_user(frame.from_user() ? frame : *thread.user_frame,
                                  stack.subspan(sample.depth));
    ring.head.store(head + 1, std::memory_order_release);
}

void format_sample(TextSink& out, const Sample& sample) {
    format(out, "%.15s", sample.name[0] != 0 ? sample.name : "?");
    for (size_t i = sample.depth; i-- > 0;) {
        // A return address lies behind its call, perhaps in the next function already.
        VirtAddr address = i == 0 ? sample.stack[i] : sample.stack[i] - 1;
        if (address < kUserTop) {
            format(out, ";%#lx", address);
            continue;
        }
        SymbolMatch match = find_symbol(kernel_symbols(), address);
        format(out, ";%s", match.name != nullptr ? match.name : "?");
    }
    format(out, " 1\n");
}

}  // namespace

void sampler_tick(TrapFrame& frame) {
    if (!sampling.load(std::memory_order_relaxed)) [[likely]] return;
    Cpu& cpu = this_cpu();
    Ring& ring = rings[cpu.id];
    Busy busy(ring);
    if (!sampling.load() || cpu.current == cpu.idle || ring.samples == nullptr) return;
    record(ring, *cpu.current, frame);
}

Result<void> sampler_set(bool on) {
    sampling = false;
    for (Ring& ring : rings) {
        while (ring.busy) x86::pause();
    }
    if (!on) return {};
    for (uint32_t i = 0; i < cpu_count; ++i) {
        Ring& ring = rings[i];
        if (ring.samples == nullptr)
            ring.samples = static_cast<Sample*>(kmalloc(kSamples * sizeof(Sample)));
        if (ring.samples == nullptr) return Error(ENOMEM);
        ring.head = ring.tail = 0;
        ring.dropped = 0;
    }
    sampling = true;
    return {};
}

SamplerTotals sampler_totals() {
    SamplerTotals totals{0, 0};
    for (const Ring& ring : rings) {
        uint64_t dropped = ring.dropped.load(std::memory_order_relaxed);
        totals.taken += ring.head.load(std::memory_order_relaxed) + dropped;
        totals.dropped += dropped;
    }
    return totals;
}

void sampler_format(TextSink& out) {
    for (Ring& ring : rings) {
        uint32_t head = ring.head.load(std::memory_order_acquire);
        for (uint32_t i = ring.tail; i != head; i++) {
            format_sample(out, ring.samples[i % kSamples]);
            ring.tail.store(i + 1, std::memory_order_release);
        }
    }
}
