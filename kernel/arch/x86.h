// The CPU: the instructions that C++ cannot say (names follow the Intel SDM vol. 2), what this
// machine's CPUs can do, and the FPU state they keep for a user program.
#pragma once
#include <cstddef>
#include <cstdint>

namespace x86 {

#if __STDC_HOSTED__
// Host tests: the test plays the device.
extern "C" uint8_t host_inb(uint16_t port);
extern "C" void host_outb(uint16_t port, uint8_t value);
inline uint8_t inb(uint16_t port) { return host_inb(port); }
inline void outb(uint16_t port, uint8_t value) { host_outb(port, value); }
#else
inline uint8_t inb(uint16_t port) {
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
inline void outb(uint16_t port, uint8_t value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
#endif
inline void outw(uint16_t port, uint16_t value) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
inline void outl(uint16_t port, uint32_t value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
inline uint64_t rdmsr(uint32_t msr) {
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (static_cast<uint64_t>(high) << 32) | low;
}
inline void wrmsr(uint32_t msr, uint64_t value) {
    auto low = static_cast<uint32_t>(value), high = static_cast<uint32_t>(value >> 32);
    asm volatile("wrmsr" : : "c"(msr), "a"(low), "d"(high) : "memory");
}
// Not serialized: the CPU may run it early or late by some tens of cycles.
// It clears the upper halves of both registers.
inline uint64_t rdtsc() {
    uint64_t ticks;
    asm volatile("rdtsc\n\tshlq $32, %%rdx\n\tleaq (%%rax, %%rdx), %0"
                 : "=r"(ticks) : : "rax", "rdx", "cc");
    return ticks;
}

struct CpuidResult {
    uint32_t eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(uint32_t leaf, uint32_t subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

#define X86_CONTROL_REGISTER(name)                                          \
    inline uint64_t read_##name() {                                         \
        uint64_t value;                                                     \
        asm volatile("movq %%" #name ", %0" : "=r"(value));                 \
        return value;                                                       \
    }                                                                       \
    inline void write_##name(uint64_t value) {                              \
        asm volatile("movq %0, %%" #name : : "r"(value) : "memory");        \
    }
X86_CONTROL_REGISTER(cr0)
X86_CONTROL_REGISTER(cr2)
X86_CONTROL_REGISTER(cr3)
X86_CONTROL_REGISTER(cr4)
#undef X86_CONTROL_REGISTER
inline void invlpg(uint64_t address) {
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

inline void pause() { asm volatile("pause" : : : "memory"); }

#if __STDC_HOSTED__
// Host tests: the interrupt flag is a variable of the host thread.
inline thread_local bool host_interrupts = true;
inline void cli() { host_interrupts = false; }
inline void sti() { host_interrupts = true; }
inline bool interrupts_enabled() { return host_interrupts; }
#else
inline void cli() { asm volatile("cli" : : : "memory"); }
inline void sti() { asm volatile("sti" : : : "memory"); }
inline void hlt() { asm volatile("hlt" : : : "memory"); }
// STI takes effect after the next instruction, so no interrupt can slip in between and be
// slept through (Intel SDM vol. 2, STI).
inline void sti_hlt() { asm volatile("sti\n\thlt" : : : "memory"); }

inline constexpr uint64_t kFlagsIf = 1 << 9;
inline bool interrupts_enabled() {
    uint64_t flags;
    asm volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
    return (flags & kFlagsIf) != 0;
}
#endif

// Model-specific registers (Intel SDM vol. 4)
inline constexpr uint32_t kMsrApicBase = 0x1b, kMsrTscDeadline = 0x6e0, kMsrX2ApicBase = 0x800,
                          kMsrEfer = 0xc0000080, kMsrStar = 0xc0000081, kMsrLstar = 0xc0000082,
                          kMsrSfmask = 0xc0000084, kMsrFsBase = 0xc0000100,
                          kMsrGsBase = 0xc0000101, kMsrKernelGsBase = 0xc0000102;
inline constexpr uint64_t kEferSce = 1 << 0, kEferLme = 1 << 8, kEferNxe = 1 << 11;

}  // namespace x86

// Saves the interrupt flag, disables interrupts, and restores it at scope end.
class InterruptsOff {
  public:
    InterruptsOff() : were_on_(x86::interrupts_enabled()) { x86::cli(); }
    ~InterruptsOff() {
        if (were_on_) x86::sti();
    }
    InterruptsOff(const InterruptsOff&) = delete;

  private:
    const bool were_on_;
};

// ---- Features ----
// Read from CPUID once at boot. The kernel uses each where it exists and does without where
// it does not (-cpu qemu64 lacks most).

struct CpuFeatures {
    bool nx, pge, smep, smap, umip, fsgsbase, x2apic, tsc_deadline, large_1g, rdrand, xsave, avx,
        hypervisor;
    uint32_t xsave_size;      // bytes of the FPU area: XSAVE's for xcr0, or 512 for FXSAVE
    uint64_t xcr0;            // enabled state components, when xsave
    char vendor[13];
    char brand[49];
};
extern CpuFeatures cpu_features;

// Fills cpu_features and fpu_use_xsave; boot CPU only.
void detect_cpu_features();
// Sets CR0, CR4, EFER and XCR0 of the calling CPU to what cpu_features allows; every CPU
// calls it.
void enable_cpu_features();

// ---- The user's floating-point and vector registers (x87, SSE, AVX) ----
// How big their save area is and what it holds at the start of a program. Saving and
// restoring is lab 4's switch.S (fpu_save, fpu_restore in kernel/sched/run_queue.h). The
// kernel itself uses none of them.

// Is the area in XSAVE's format? Else it is FXSAVE's (Intel SDM vol. 1, 10.5 and 13.4).
extern "C" uint8_t fpu_use_xsave;

// Fills `area` (cpu_features.xsave_size bytes, 64-byte aligned) with the state that the ABI
// gives a new program: all registers zero, x87 control word 0x37f, MXCSR 0x1f80 (System V
// ABI, 3.4.1).
void fpu_init_area(void* area);
// Makes any bytes an area that fpu_restore loads without a fault (Intel SDM vol. 1, 13.8.1):
// reserved bits of MXCSR, components that are off, and the header's reserved bytes become 0.
// `saved`: an area that fpu_save wrote, which says what bits MXCSR has here.
void fpu_make_loadable(void* area, const void* saved);
