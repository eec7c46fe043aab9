#include "kernel/arch/fpu.h"

#include <cstring>

#include "kernel/arch/features.h"

uint8_t fpu_use_xsave;

namespace {
// The legacy region, the same for FXSAVE and XSAVE (Intel SDM vol. 1, table 10-2), and the
// first field of XSAVE's header (13.4.2).
constexpr uint32_t kControlWord = 0;
constexpr uint32_t kMxcsr = 24;
constexpr uint32_t kStateComponents = 512;
constexpr uint64_t kX87AndSse = 3;

template <typename T>
void put(void* area, uint32_t offset, T value) {
    memcpy(static_cast<char*>(area) + offset, &value, sizeof(value));
}
}  // namespace

void fpu_init() { fpu_use_xsave = cpu_features.xsave ? 1 : 0; }

void fpu_init_area(void* area) {
    memset(area, 0, cpu_features.xsave_size);
    put<uint16_t>(area, kControlWord, 0x37f);
    put<uint32_t>(area, kMxcsr, 0x1f80);
    // Components that the header does not name are put in their initial state by XRSTOR.
    if (fpu_use_xsave != 0) put<uint64_t>(area, kStateComponents, kX87AndSse);
}

void fpu_copy_area(void* to, const void* from) {
    memcpy(to, from, cpu_features.xsave_size);
}

void fpu_make_loadable(void* area, const void* saved) {
    constexpr uint32_t kMxcsrMask = 28, kCompaction = 520;
    uint32_t mxcsr, mask;
    memcpy(&mxcsr, static_cast<char*>(area) + kMxcsr, sizeof mxcsr);
    memcpy(&mask, static_cast<const char*>(saved) + kMxcsrMask, sizeof mask);
    put<uint32_t>(area, kMxcsr, mxcsr & (mask != 0 ? mask : 0xffbf));
    if (fpu_use_xsave == 0) return;
    uint64_t components;
    memcpy(&components, static_cast<char*>(area) + kStateComponents, sizeof components);
    put<uint64_t>(area, kStateComponents, components & cpu_features.xcr0);
    memset(static_cast<char*>(area) + kCompaction, 0, 56);  // must be zero for XRSTOR
}
