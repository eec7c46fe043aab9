// Without FSGSBASE only the kernel changes the bases (but for a program that loads a
// selector into FS or GS, which loses them: so both are always written). With it user code
// may write them at any time, so a switch reads what is there.
#include "kernel/arch/features.h"
#include "kernel/arch/x86.h"
#include "kernel/sched/scheduler.h"

void user_bases_save(Thread& running) {
    if (!cpu_features.fsgsbase) return;
    asm volatile("rdfsbase %0" : "=r"(running.fs_base));
    running.gs_base = x86::rdmsr(x86::kMsrKernelGsBase);
}

void user_bases_load(const Thread& next) {
    if (cpu_features.fsgsbase)
        asm volatile("wrfsbase %0" : : "r"(next.fs_base) : "memory");
    else
        x86::wrmsr(x86::kMsrFsBase, next.fs_base);
    x86::wrmsr(x86::kMsrKernelGsBase, next.gs_base);
}

void user_bases_set(uint64_t fs_base, uint64_t gs_base) {
    InterruptsOff off;
    Thread& thread = *current_thread();
    thread.fs_base = fs_base;
    thread.gs_base = gs_base;
    user_bases_load(thread);
}

void user_bases_save() {
    InterruptsOff off;
    user_bases_save(*current_thread());
}
