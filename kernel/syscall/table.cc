// The table of system calls, the names for log lines about calls that are not in it, and the
// slow way in for CPUs on which SYSCALL is switched off.
//
// From registers to C++ and back: each system call is an ordinary function with natural
// types, Result<T> sys_name(...), and SyscallAdapter makes the uniform entry of the table:
// six registers in, RAX out, an Error as its negative number.
#include <atomic>
#include <type_traits>
#include <utility>

#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/syscall/calls.h"
#include "kernel/syscall/syscall.h"

namespace {

template <auto function>
struct SyscallAdapter;

// A register becomes the parameter's type: an int argument ignores the upper half, as Linux
// does; UserIn and UserOut take the whole register as the address.
template <typename T, typename... Args, Result<T> (*function)(Args...)>
struct SyscallAdapter<function> {
    static_assert(sizeof...(Args) <= 6);

    static int64_t call(uint64_t a0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0,
                        uint64_t a4 = 0, uint64_t a5 = 0) {
        [[maybe_unused]] const uint64_t registers[6] = {a0, a1, a2, a3, a4, a5};
        auto result = [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
            return function(static_cast<Args>(registers[kIndex])...);
        }(std::index_sequence_for<Args...>{});
        if (!result.ok()) [[unlikely]]
            return -static_cast<int64_t>(result.error().number());
        if constexpr (std::is_void_v<T>) return 0;
        else return static_cast<int64_t>(result.value());
    }
};

constexpr SyscallTable make_table() {
    SyscallTable table{};
#define SYSCALL(number, name, ...) table[number] = SyscallAdapter<sys_##name>::call;
#define OLD_SYSCALL(number, name, newer, ...)                                      \
    table[number] = []([[maybe_unused]] uint64_t a, [[maybe_unused]] uint64_t b, \
                               [[maybe_unused]] uint64_t c, [[maybe_unused]] uint64_t d, \
                               uint64_t, uint64_t) {                               \
        return SyscallAdapter<sys_##newer>::call(__VA_ARGS__);                     \
    };
#include "kernel/syscall/table.def"
    return table;
}

constexpr uint64_t kNamedCalls = 512;
// linux_calls.def names all calls of Linux (kernel.mk makes it from the C library's headers).
constexpr auto make_names() {
    std::array<const char*, kNamedCalls> names{};
#define SYSCALL(number, name) \
    if (number < kNamedCalls) names[number] = #name;
#include "linux_calls.def"
#undef SYSCALL
    return names;
}
constexpr auto kNames = make_names();

// One bit for each number that was logged; the last one for all numbers without a name.
std::atomic<uint64_t> logged[kNamedCalls / 64 + 1];

}  // namespace

constinit const SyscallTable syscall_table = make_table();

int64_t syscall_unimplemented(uint64_t number) {
    uint64_t slot = number < kNamedCalls ? number : kNamedCalls;
    uint64_t bit = 1ull << (slot % 64);
    const char* name = slot < kNamedCalls ? kNames[slot] : nullptr;
    if ((logged[slot / 64].fetch_or(bit, std::memory_order_relaxed) & bit) == 0)
        log_info("pid %d (%s): system call %lu (%s) is not implemented", current_process().pid,
                 current_thread()->name, number, name != nullptr ? name : "unknown");
    return -ENOSYS;
}

// ---- Emulation ----

// SYSCALL where it is switched off: the instruction raises #UD, and this does what the CPU
// would have done. It lets a kernel run programs before its lab 3 is built.
//
// Returns false when the instruction is not SYSCALL (0f 05; AMD APM vol. 3), true when it
// was carried out. The trap frame takes the form that SYSCALL's entry would have given it, so
// that signals and fork see no difference.
static bool emulate(TrapFrame& frame) {
    x86::sti();
    uint8_t instruction[2];
    auto copied = copy_from_user(instruction, frame.rip, sizeof instruction);
    if (!copied.ok() || instruction[0] != 0x0f || instruction[1] != 0x05) return false;
    frame.rip += sizeof instruction;
    frame.rcx = frame.rip;
    frame.r11 = frame.rflags;
    frame.vector = kSyscallVector;
    frame.error = frame.rax;
    syscall_dispatch(&frame);
    return true;
}

void syscall_emulation_enable() { undefined_instruction_hook = emulate; }
