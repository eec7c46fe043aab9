// Lab 3: from the registers of a system call to its function.
//
// The whole 64-bit number counts: a program that leaves rubbish in the upper half of RAX
// gets ENOSYS, as on Linux. The check is unsigned, so that a negative number is a large one.
//
// This function runs once a system call, between entry.S and the call's own code: it is
// part of the instruction budget.
//
// Handout: handouts/3-syscall.md. Contract: kernel/syscall/syscall.h.
#include "kernel/metrics/counters.h"
#include "kernel/metrics/latency.h"
#include "kernel/syscall/syscall.h"

void syscall_dispatch(TrapFrame* frame) {
    uint64_t number = frame->rax;
    SyscallEntry entry = number < kSyscallTableSize ? syscall_table[number] : nullptr;
    if (entry == nullptr) [[unlikely]] {
        frame->rax = static_cast<uint64_t>(syscall_unimplemented(number));
        return;
    }
    count_event(Event::SystemCalls);
    LatencyTimer timer(Latency::SystemCall);
    // The fourth argument travels in R10: SYSCALL itself overwrites RCX.
    frame->rax = static_cast<uint64_t>(
        entry(frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9));
}
