// Shared by smp.cc and trampoline.S; smp.cc checks the offsets.
#pragma once

// Pages below 1 MiB, which the frame allocator never owns.
#define SMP_TRAMPOLINE 0x8000
#define SMP_PML4 0x9000
#define SMP_PDPT 0xa000
#define SMP_PD 0xb000

// struct Cpu
#define CPU_APIC_ID 36
#define CPU_SIZE 6144
#define SMP_MAX_CPUS 16
