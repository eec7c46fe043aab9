// The table, and the names for log lines about calls that are not in it.
#include <atomic>

#include "kernel/base/log.h"
#include "kernel/syscall/calls.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/process.h"

namespace {

constexpr SyscallTable make_table() {
    SyscallTable table;
#define SYSCALL(number, name, ...) table.entries[number] = SyscallAdapter<sys_##name>::call;
#define OLD_SYSCALL(number, name, newer, ...)                                      \
    table.entries[number] = []([[maybe_unused]] uint64_t a, [[maybe_unused]] uint64_t b, \
                               [[maybe_unused]] uint64_t c, [[maybe_unused]] uint64_t d, \
                               uint64_t, uint64_t) {                               \
        return SyscallAdapter<sys_##newer>::call(__VA_ARGS__);                     \
    };
#include "kernel/syscall/table.def"
#undef SYSCALL
#undef OLD_SYSCALL
    return table;
}

constexpr uint64_t kNamedCalls = 512;
struct Names {
    const char* of[kNamedCalls] = {};
};
// linux_calls.def names all calls of Linux (kernel.mk makes it from the C library's headers).
constexpr Names make_names() {
    Names names;
#define SYSCALL(number, name) \
    if (number < kNamedCalls) names.of[number] = #name;
#include "linux_calls.def"
#undef SYSCALL
    return names;
}
constexpr Names kNames = make_names();

// One bit for each number that was logged; the last one for all numbers without a name.
std::atomic<uint64_t> logged[kNamedCalls / 64 + 1];

}  // namespace

constinit const SyscallTable syscall_table = make_table();

int64_t syscall_unimplemented(uint64_t number) {
    uint64_t slot = number < kNamedCalls ? number : kNamedCalls;
    uint64_t bit = 1ull << (slot % 64);
    const char* name = slot < kNamedCalls ? kNames.of[slot] : nullptr;
    if ((logged[slot / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0)
        log_info("pid %d (%s): system call %lu (%s) is not implemented", current_process().pid,
                 current_thread()->name, number, name != nullptr ? name : "unknown");
    return -ENOSYS;
}
