// What this machine's CPUs can do, read from CPUID once at boot. The kernel uses each where
// it exists and does without where it does not (-cpu qemu64 lacks most).
#pragma once
#include <cstddef>
#include <cstdint>

struct CpuFeatures {
    bool nx, pge, smep, smap, umip, fsgsbase, x2apic, tsc_deadline, large_1g, rdrand, xsave, avx,
        hypervisor;
    uint32_t xsave_size;      // bytes of the FPU area: XSAVE's for xcr0, or 512 for FXSAVE
    uint64_t xcr0;            // enabled state components, when xsave
    char vendor[13];
    char brand[49];
};
extern CpuFeatures cpu_features;

// Fills cpu_features; boot CPU only.
void detect_cpu_features();
// Sets CR0, CR4, EFER and XCR0 of the calling CPU to what cpu_features allows; every CPU
// calls it.
void enable_cpu_features();
