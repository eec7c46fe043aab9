// The sampling profiler (contracts in kernel/prof/sampler.h).
//
// Each CPU has its own buffer, which only its own timer interrupt writes: a sample is
// filled in, then `count` goes up with release order. A reader takes the samples below
// `count`, which never change again, so there are no locks and no torn samples. A full
// buffer counts what it drops: a profile that is silently cut short would lie.
//
// An interrupted idle thread is no work and is not sampled. Code that runs with
// interrupts off is blamed on where they come on again; sampling by NMI would see it
// (challenge).
#include "kernel/prof/sampler.h"

#include <algorithm>
#include <cstring>

#include "kernel/arch/panic.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/thread.h"

namespace {

constexpr size_t kDepth = 20;
constexpr uint32_t kSamplesPerCpu = 2048;

struct Sample {
    char name[16];      // of the thread
    bool user;          // interrupted in user mode: no kernel addresses
    uint8_t depth;
    VirtAddr stack[kDepth];  // innermost first

    bool same_place(const Sample& other) const {
        return user == other.user && depth == other.depth &&
               std::equal(stack, stack + depth, other.stack) &&
               strncmp(name, other.name, sizeof name) == 0;
    }
};

struct alignas(kCacheLine) Buffer {
    Sample* samples = nullptr;        // kSamplesPerCpu of them
    std::atomic<uint32_t> count{0};
    std::atomic<uint64_t> dropped{0};
    std::atomic<bool> busy{false};    // a tick is in sampler_tick
};

Buffer buffers[kMaxCpus];
std::atomic<bool> sampling{false};

// `busy` before `sampling`, against sampling before busy in sampler_set: one of the two
// sees the other.
class Busy {
  public:
    explicit Busy(Buffer& buffer) : buffer_(buffer) { buffer_.busy = true; }
    ~Busy() { buffer_.busy.store(false, std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

  private:
    Buffer& buffer_;
};

void record(Buffer& buffer, const Thread& thread, const TrapFrame& frame) {
    uint32_t index = buffer.count.load(std::memory_order_relaxed);
    if (index == kSamplesPerCpu) {
        buffer.dropped.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    Sample& sample = buffer.samples[index];
    memcpy(sample.name, thread.name, sizeof sample.name);
    sample.user = frame.from_user();
    sample.depth = 0;
    if (!sample.user) {
        // The leaf is where the interrupt hit; the walk gives its callers.
        sample.stack[0] = frame.rip;
        std::span<VirtAddr> callers(sample.stack + 1, kDepth - 1);
        size_t found = walk_stack(frame.rbp, is_kernel_stack, callers);
        sample.depth = static_cast<uint8_t>(1 + found);
    }
    buffer.count.store(index + 1, std::memory_order_release);
}

void format_sample(TextSink& out, const Sample& sample, uint32_t times) {
    format(out, "%.15s", sample.name[0] != 0 ? sample.name : "?");
    if (sample.user) format(out, ";[user]");
    for (size_t i = sample.depth; i-- > 0;) {
        // A return address lies behind its call, perhaps in the next function already.
        VirtAddr address = i == 0 ? sample.stack[i] : sample.stack[i] - 1;
        SymbolMatch match = find_symbol(kernel_symbols(), address);
        format(out, ";%s", match.name != nullptr ? match.name : "?");
    }
    format(out, " %u\n", times);
}

// What is in a buffer, and stays as it is.
std::span<const Sample> samples_of(const Buffer& buffer) {
    return {buffer.samples, buffer.count.load(std::memory_order_acquire)};
}

}  // namespace

void sampler_tick(TrapFrame& frame) {
    if (!sampling.load(std::memory_order_relaxed)) [[likely]] return;
    Cpu& cpu = this_cpu();
    Buffer& buffer = buffers[cpu.id];
    Busy busy(buffer);
    if (!sampling.load() || cpu.current == cpu.idle || buffer.samples == nullptr) return;
    record(buffer, *cpu.current, frame);
}

Result<void> sampler_set(bool on) {
    sampling = false;
    for (Buffer& buffer : buffers) {
        while (buffer.busy) x86::pause();
    }
    if (!on) return {};
    for (uint32_t i = 0; i < cpu_count; ++i) {
        Buffer& buffer = buffers[i];
        if (buffer.samples == nullptr)
            buffer.samples = static_cast<Sample*>(kmalloc(kSamplesPerCpu * sizeof(Sample)));
        if (buffer.samples == nullptr) return Error(ENOMEM);
        buffer.count = 0;
        buffer.dropped = 0;
    }
    sampling = true;
    return {};
}

SamplerTotals sampler_totals() {
    SamplerTotals totals{0, 0};
    for (const Buffer& buffer : buffers) {
        uint64_t dropped = buffer.dropped.load(std::memory_order_relaxed);
        totals.taken += buffer.count.load(std::memory_order_acquire) + dropped;
        totals.dropped += dropped;
    }
    return totals;
}

// Equal stacks become one line. Quadratic, but over a few thousand samples, most of which
// differ in their first words.
void sampler_format(TextSink& out) {
    for (const Buffer& buffer : buffers) {
        for (const Sample& sample : samples_of(buffer)) {
            const Sample* first = nullptr;
            uint32_t times = 0;
            for (const Buffer& other : buffers) {
                for (const Sample& same : samples_of(other)) {
                    if (!sample.same_place(same)) continue;
                    if (times++ == 0) first = &same;
                }
                if (first != nullptr && first != &sample) break;
            }
            if (first == &sample) format_sample(out, sample, times);
        }
    }
}
