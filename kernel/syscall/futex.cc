// System call: futex. The mechanism is kernel/task/futex.cc.
#include "kernel/task/futex.h"

#include <linux/futex.h>

#include "kernel/arch/tsc.h"
#include "kernel/syscall/calls.h"
#include "kernel/task/clock.h"

namespace {

// `time` null: for ever. FUTEX_WAIT gives a length, FUTEX_WAIT_BITSET a point in time.
Result<uint32_t> wait(VirtAddr address, uint32_t expected, VirtAddr time, bool absolute,
                      uint32_t flags) {
    uint64_t deadline = kNoDeadline;
    if (time != 0) {
        deadline = TRY(to_ns(TRY(UserIn<TimeSpec>(time).read())));
        bool realtime = absolute && (flags & FUTEX_CLOCK_REALTIME) != 0;
        if (realtime) deadline = realtime_to_monotonic(deadline);
        if (!absolute) deadline += monotonic_ns();
    }
    bool is_private = (flags & FUTEX_PRIVATE_FLAG) != 0;
    Result<void> result = futex_wait(address, expected, deadline, is_private);
    if (result.ok()) return uint32_t{0};
    // Done again, a wait of a given length would start from the beginning.
    bool restartable = absolute || time == 0;
    if (result.error().number() == kERESTARTSYS && !restartable) return Error(EINTR);
    return result.error();
}

}  // namespace

// What the C libraries use: of the bit sets only "any", and no operation of the kernel's own
// mutexes (PI) or of those that compare before they move waiters.
Result<uint32_t> sys_futex(VirtAddr address, uint32_t operation, uint32_t value,
                           uint64_t timeout_or_count, VirtAddr address2, uint32_t value3) {
    bool is_private = (operation & FUTEX_PRIVATE_FLAG) != 0;
    switch (operation & FUTEX_CMD_MASK) {
        case FUTEX_WAIT: return wait(address, value, timeout_or_count, false, operation);
        case FUTEX_WAIT_BITSET:
            if (value3 != FUTEX_BITSET_MATCH_ANY) return Error(EINVAL);
            return wait(address, value, timeout_or_count, true, operation);
        case FUTEX_WAKE: return futex_wake(address, value, is_private);
        case FUTEX_REQUEUE: {
            auto move = static_cast<uint32_t>(timeout_or_count);
            return futex_requeue(address, address2, value, move, is_private);
        }
        default: return Error(ENOSYS);
    }
}
