// The other CPUs: starting them, and interrupting them.
#pragma once

#include "kernel/arch/cpu.h"

// ---- Starting (Intel SDM vol. 3, 8.4: INIT, SIPI, SIPI) ----

// Starts every CPU that the MADT lists, up to kMaxCpus and `max_cpus`; each runs `entry` on
// its idle stack with its descriptors, features and APIC set up, interrupts off, the kernel's
// page map loaded, Cpu::kernel_rsp at the top of the idle stack. `entry` never returns; it
// sets up what higher layers need on this CPU and then sets Cpu::online.
// Boot CPU, after apic_init. Sets cpu_count and returns when all that answered are online;
// one that does not answer within 1 s of TSC time is logged and stays offline.
void smp_start(uint32_t max_cpus, void (*entry)());

// ---- Interprocessor interrupts ----
// Work is posted as bits in the target's ipi_pending; one vector serves all kinds, so that
// several requests to one CPU cost one interrupt.

enum IpiWork : uint32_t {
    kIpiReschedule = 1 << 0,  // look at the run queue / attention bits again
    kIpiShootdown = 1 << 1,   // flush what the shootdown unit's mailbox says
    kIpiCall = 1 << 2,        // run the function posted by ipi_call
};

// Takes kVectorIpi. Boot CPU, before other CPUs start.
void ipi_init();
// Posts `work` to `cpu` (not the calling one) and interrupts it unless the same work was
// already pending there. Callable with interrupts off.
void ipi_send(Cpu& cpu, IpiWork work);
// Sets what runs on the target for a kind of work: interrupts off, in interrupt context.
void ipi_set_handler(IpiWork work, void (*handler)());
// Runs pending work of this CPU now, and pauses. For loops that wait for another CPU, which
// may be waiting for our answer (shootdown) while our interrupts are off.
void ipi_poll();
// The CPUs that run threads now.
CpuMask online_cpus();
// Runs function(argument) on every CPU in `targets` that is online, the calling one
// included, with interrupts off, and returns when all have. Thread context, no spin lock
// held. The function takes no lock that a caller of ipi_call may hold.
void ipi_call(CpuMask targets, void (*function)(void*), void* argument);
// Stops all other CPUs for good, by NMI. Only in a panic.
void ipi_stop_others();
