// CPUID, the control registers that follow from it, and the format of the FPU's save area.
// Bits are from the Intel SDM vol. 2, CPUID, and vol. 3, 2.5 (CR4), 2.6 (XCR0), 11.12 (PAT).
#include "kernel/arch/x86.h"

#include "kernel/base/runtime.h"

CpuFeatures cpu_features;
uint8_t fpu_use_xsave;
// Read by trap_entry.S: CLAC exists.
bool trap_use_clac;

namespace {

constexpr uint64_t kCr0MonitorFpu = 1 << 1, kCr0EmulateFpu = 1 << 2, kCr0TaskSwitched = 1 << 3,
                   kCr0NumericError = 1 << 5, kCr0WriteProtect = 1 << 16,
                   kCr0NotWriteThrough = 1 << 29, kCr0CacheDisable = 1 << 30;
constexpr uint64_t kCr4Pge = 1 << 7, kCr4OsFxsr = 1 << 9, kCr4OsXmmExcpt = 1 << 10,
                   kCr4Umip = 1 << 11, kCr4FsGsBase = 1 << 16, kCr4OsXsave = 1 << 18,
                   kCr4Smep = 1 << 20, kCr4Smap = 1 << 21;
constexpr uint64_t kXcr0X87 = 1 << 0, kXcr0Sse = 1 << 1, kXcr0Avx = 1 << 2;
constexpr uint32_t kMsrPat = 0x277;
// Entries 0-3 as after reset (WB, WT, UC-, UC), entry 4 write-combining for framebuffers.
constexpr uint64_t kPat = 0x0007040100070406;

bool bit(uint32_t word, unsigned number) { return (word >> number) & 1; }

void read_names() {
    x86::CpuidResult r = x86::cpuid(0);
    const uint32_t vendor[] = {r.ebx, r.edx, r.ecx};
    memcpy(cpu_features.vendor, vendor, sizeof vendor);
    if (x86::cpuid(0x80000000).eax < 0x80000004) return;
    for (uint32_t i = 0; i < 3; i++) {
        r = x86::cpuid(0x80000002 + i);
        memcpy(cpu_features.brand + sizeof r * i, &r, sizeof r);
    }
}

// The fields that matter here of the legacy region, the same for FXSAVE and XSAVE (Intel SDM
// vol. 1, table 10-2), and of XSAVE's header (13.4.2).
struct [[gnu::packed, gnu::may_alias]] Area {
    uint16_t control_word;
    uint8_t unused[22];
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
    uint64_t components, compaction[7];
};
static_assert(sizeof(Area) == 576);

void xsetbv(uint64_t value) {
    auto low = static_cast<uint32_t>(value), high = static_cast<uint32_t>(value >> 32);
    asm volatile("xsetbv" : : "c"(0), "a"(low), "d"(high));
}

}  // namespace

void detect_cpu_features() {
    CpuFeatures& f = cpu_features;
    uint32_t max = x86::cpuid(0).eax;
    read_names();

    x86::CpuidResult one = x86::cpuid(1);
    f.pge = bit(one.edx, 13);
    f.x2apic = bit(one.ecx, 21);
    f.tsc_deadline = bit(one.ecx, 24);
    f.xsave = bit(one.ecx, 26);
    f.avx = f.xsave && bit(one.ecx, 28);
    f.rdrand = bit(one.ecx, 30);
    f.hypervisor = bit(one.ecx, 31);
    if (max >= 7) {
        x86::CpuidResult seven = x86::cpuid(7);
        f.fsgsbase = bit(seven.ebx, 0);
        f.smep = bit(seven.ebx, 7);
        f.smap = bit(seven.ebx, 20);
        f.umip = bit(seven.ecx, 2);
    }
    x86::CpuidResult extended = x86::cpuid(0x80000001);
    f.nx = bit(extended.edx, 20);
    f.large_1g = bit(extended.edx, 26);

    f.xsave_size = 512;
    if (f.xsave && max >= 0xd) {
        f.xcr0 = kXcr0X87 | kXcr0Sse | (f.avx ? kXcr0Avx : 0);
        f.xcr0 &= x86::cpuid(0xd).eax;
        // Legacy area and header; the standard format has AVX at an offset of its own.
        f.xsave_size = 512 + 64;
        if (f.xcr0 & kXcr0Avx) {
            x86::CpuidResult avx = x86::cpuid(0xd, 2);
            f.xsave_size = avx.ebx + avx.eax;
        }
    }
    trap_use_clac = f.smap;
    fpu_use_xsave = f.xsave;
}

void enable_cpu_features() {
    const CpuFeatures& f = cpu_features;
    // INIT leaves the caches off.
    uint64_t cr0 = x86::read_cr0() & ~(kCr0EmulateFpu | kCr0TaskSwitched |
                                       kCr0NotWriteThrough | kCr0CacheDisable);
    x86::write_cr0(cr0 | kCr0MonitorFpu | kCr0NumericError | kCr0WriteProtect);

    uint64_t cr4 = x86::read_cr4() | kCr4OsFxsr | kCr4OsXmmExcpt;
    if (f.pge) cr4 |= kCr4Pge;
    if (f.umip) cr4 |= kCr4Umip;
    if (f.fsgsbase) cr4 |= kCr4FsGsBase;
    if (f.xsave) cr4 |= kCr4OsXsave;
    if (f.smep) cr4 |= kCr4Smep;
    if (f.smap) cr4 |= kCr4Smap;
    x86::write_cr4(cr4);

    if (f.nx) x86::wrmsr(x86::kMsrEfer, x86::rdmsr(x86::kMsrEfer) | x86::kEferNxe);
    if (f.xsave) xsetbv(f.xcr0);
    x86::wrmsr(kMsrPat, kPat);
    asm volatile("fninit");
}

void fpu_init_area(void* area) {
    memset(area, 0, cpu_features.xsave_size);
    Area& state = *static_cast<Area*>(area);
    state.control_word = 0x37f;
    state.mxcsr = 0x1f80;
    // Components that the header does not name are put in their initial state by XRSTOR.
    constexpr uint64_t kX87AndSse = 3;
    if (fpu_use_xsave != 0) state.components = kX87AndSse;
}

void fpu_make_loadable(void* area, const void* saved) {
    Area& state = *static_cast<Area*>(area);
    uint32_t mask = static_cast<const Area*>(saved)->mxcsr_mask;
    state.mxcsr &= mask != 0 ? mask : 0xffbf;
    if (fpu_use_xsave == 0) return;
    state.components &= cpu_features.xcr0;
    memset(state.compaction, 0, sizeof state.compaction);  // must be zero for XRSTOR
}
