// The instructions that C++ cannot say. Names follow the Intel SDM vol. 2.
#pragma once
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
inline uint64_t rdtsc() {
    uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (static_cast<uint64_t>(high) << 32) | low;
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
inline constexpr uint32_t kMsrApicBase = 0x1b;
inline constexpr uint32_t kMsrTscDeadline = 0x6e0;
inline constexpr uint32_t kMsrX2ApicBase = 0x800;
inline constexpr uint32_t kMsrEfer = 0xc0000080;
inline constexpr uint32_t kMsrStar = 0xc0000081;
inline constexpr uint32_t kMsrLstar = 0xc0000082;
inline constexpr uint32_t kMsrSfmask = 0xc0000084;
inline constexpr uint32_t kMsrFsBase = 0xc0000100;
inline constexpr uint32_t kMsrGsBase = 0xc0000101;
inline constexpr uint32_t kMsrKernelGsBase = 0xc0000102;
inline constexpr uint64_t kEferSce = 1 << 0;
inline constexpr uint64_t kEferLme = 1 << 8;
inline constexpr uint64_t kEferNxe = 1 << 11;

}  // namespace x86

// Saves the interrupt flag, disables interrupts, and restores it at scope end.
class InterruptsOff {
  public:
    InterruptsOff() : were_on_(x86::interrupts_enabled()) { x86::cli(); }
    ~InterruptsOff() {
        if (were_on_) x86::sti();
    }
    InterruptsOff(const InterruptsOff&) = delete;
    InterruptsOff& operator=(const InterruptsOff&) = delete;

  private:
    bool were_on_;
};
