#include "kernel/arch/fpu.h"

#include <cstring>

#include "kernel/arch/features.h"

uint8_t fpu_use_xsave;

namespace {
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
}  // namespace

void fpu_init() { fpu_use_xsave = cpu_features.xsave ? 1 : 0; }

void fpu_init_area(void* area) {
    memset(area, 0, cpu_features.xsave_size);
    Area& state = *static_cast<Area*>(area);
    state.control_word = 0x37f;
    state.mxcsr = 0x1f80;
    // Components that the header does not name are put in their initial state by XRSTOR.
    constexpr uint64_t kX87AndSse = 3;
    if (fpu_use_xsave != 0) state.components = kX87AndSse;
}

void fpu_copy_area(void* to, const void* from) {
    memcpy(to, from, cpu_features.xsave_size);
}

void fpu_make_loadable(void* area, const void* saved) {
    Area& state = *static_cast<Area*>(area);
    uint32_t mask = static_cast<const Area*>(saved)->mxcsr_mask;
    state.mxcsr &= mask != 0 ? mask : 0xffbf;
    if (fpu_use_xsave == 0) return;
    state.components &= cpu_features.xcr0;
    memset(state.compaction, 0, sizeof state.compaction);  // must be zero for XRSTOR
}
