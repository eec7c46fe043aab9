// The sampling profiler: at every tick, where was the CPU? Lab 7's sampler.cc keeps the
// samples; /proc/profile shows them as folded stacks, one a line with its count, which is
// what flame graph tools read.
#pragma once

#include "kernel/arch/traps.h"
#include "kernel/base/format.h"

struct SamplerTotals {
    uint64_t taken;    // ticks seen while on
    uint64_t dropped;  // of these, not kept for lack of room
};

// The profiler's hooks. Either the tick samples (echo 1 > /proc/profile) or an NMI that the 8254
// gives all CPUs as often (echo nmi), which sees code that runs with interrupts off. NMIs
// are on stacks of their own with GS from there (kernel/arch/trap_entry.S), and what they
// call must not fault, nor take a lock, at any instruction of the kernel: kernel frames are
// read from the running thread's stack alone, user words through the page tables. In the first
// and last instructions of a system call user_frame is not that call's, so one sample may have
// the callers of another.
void profile_tick(TrapFrame& frame);
void profile_nmi(TrapFrame& frame);

// The eight bytes at a user address of the running thread, for an interrupt handler: false
// where that would fault.
bool sampler_user_word(VirtAddr address, uint64_t& word);

// ---- Lab 7, sampler.cc ----

// At a tick or NMI: records a sample when sampling is on: where the thread is in the kernel, if
// it is there, and in its program. The idle thread does no work. No locks, no allocation, no
// output, and nothing that could fault.
void sampler_tick(TrapFrame& frame);
// Switches sampling on, after forgetting earlier samples, or off. ENOMEM. The caller sees to it
// that sampler_set and sampler_format run one at a time.
Result<void> sampler_set(bool on);
SamplerTotals sampler_totals();
// Takes out the samples there are, as folded stacks, the thread's name and then the outermost
// function first: "name;0x401000;0x401234;f;g 1\n". Kernel functions have their name, user
// code its address; a return address is shown as that of its call. One line may stand for
// several equal samples.
void sampler_format(TextSink& out);
