// System call: futex. The mechanism is kernel/task/futex.cc.
#include "kernel/task/futex.h"

#include "kernel/arch/tsc.h"
#include "kernel/syscall/calls.h"
#include "kernel/task/clock.h"

namespace {

enum Operation : uint32_t {
    kWait = 0,
    kWake = 1,
    kRequeue = 3,
    kCompareRequeue = 4,
    kWaitBits = 9,
    kWakeBits = 10,
};
constexpr uint32_t kPrivate = 128, kClockRealtime = 256;

// `time` null: for ever. FUTEX_WAIT gives a length, FUTEX_WAIT_BITSET a point in time.
Result<uint64_t> deadline_of(UserIn<TimeSpec> time, bool absolute, bool realtime) {
    if (time.is_null()) return kNoDeadline;
    uint64_t ns = TRY(to_ns(TRY(time.read())));
    if (!absolute) return monotonic_ns() + ns;
    return realtime ? realtime_to_monotonic(ns) : ns;
}

Result<uint32_t> wait(VirtAddr address, uint32_t expected, uint32_t bits, VirtAddr time,
                      bool absolute, uint32_t flags) {
    uint64_t deadline = TRY(deadline_of(time, absolute, (flags & kClockRealtime) != 0));
    Result<void> result =
        futex_wait(address, expected, bits, deadline, (flags & kPrivate) != 0);
    if (result.ok()) return uint32_t{0};
    // Done again, a wait of a given length would start from the beginning.
    bool restartable = absolute || time == 0;
    if (result.error().number() == kERESTARTSYS && !restartable) return Error(EINTR);
    return result.error();
}

}  // namespace

Result<uint32_t> sys_futex(VirtAddr address, uint32_t operation, uint32_t value,
                           uint64_t timeout_or_count, VirtAddr address2, uint32_t value3) {
    bool is_private = (operation & kPrivate) != 0;
    auto count2 = static_cast<uint32_t>(timeout_or_count);
    switch (operation & ~(kPrivate | kClockRealtime)) {
        case kWait:
            return wait(address, value, kFutexAnyBits, timeout_or_count, false, operation);
        case kWaitBits:
            return wait(address, value, value3, timeout_or_count, true, operation);
        case kWake: return futex_wake(address, value, kFutexAnyBits, is_private);
        case kWakeBits: return futex_wake(address, value, value3, is_private);
        case kRequeue:
            return futex_requeue(address, address2, value, count2, {}, is_private);
        case kCompareRequeue:
            return futex_requeue(address, address2, value, count2, value3, is_private);
        default: return Error(ENOSYS);
    }
}
