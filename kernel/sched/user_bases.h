// FS and GS base of user code (thread-local storage: System V ABI, arch_prctl(2)). While a
// thread runs they live in the CPU: FS base in its register, GS base in KERNEL_GS_BASE,
// where SWAPGS puts it on the way in. The Thread's fields hold them while it does not run.
#pragma once
#include <cstdint>

struct Thread;

// Sets both for the calling thread (exec, arch_prctl, sigreturn). Canonical addresses only:
// anything else faults.
void user_bases_set(uint64_t fs_base, uint64_t gs_base);
// Reads the calling thread's into its Thread (fork, arch_prctl).
void user_bases_save();

// For the scheduler, interrupts off.
void user_bases_save(Thread& running);
void user_bases_load(const Thread& next);
