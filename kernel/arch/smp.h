// Starting the other CPUs (Intel SDM vol. 3, 8.4: INIT, SIPI, SIPI).
#pragma once
#include <cstdint>

// Starts every CPU that the MADT lists, up to kMaxCpus and `max_cpus`; each runs `entry` on
// its idle stack with its descriptors, features and APIC set up, interrupts off, the kernel's
// page map loaded, Cpu::kernel_rsp at the top of the idle stack. `entry` never returns; it
// sets up what higher layers need on this CPU and then sets Cpu::online.
// Boot CPU, after apic_init. Sets cpu_count and returns when all that answered are online;
// one that does not answer within 1 s of TSC time is logged and stays offline.
void smp_start(uint32_t max_cpus, void (*entry)());
