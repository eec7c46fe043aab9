// From registers to C++ and back: each system call is an ordinary function with natural
// types, Result<T> sys_name(...), and SyscallAdapter makes the uniform entry of the table:
// six registers in, RAX out, an Error as its negative number.
#pragma once
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernel/base/result.h"

using SyscallEntry = int64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

template <auto function>
struct SyscallAdapter;

// A register becomes the parameter's type: an int argument ignores the upper half, as Linux
// does; UserIn and UserOut take the whole register as the address.
template <typename T, typename... Args, Result<T> (*function)(Args...)>
struct SyscallAdapter<function> {
    static_assert(sizeof...(Args) <= 6);

    static int64_t call(uint64_t a0, uint64_t a1 = 0, uint64_t a2 = 0, uint64_t a3 = 0,
                        uint64_t a4 = 0, uint64_t a5 = 0) {
        const uint64_t registers[6] = {a0, a1, a2, a3, a4, a5};
        return invoke(registers, std::index_sequence_for<Args...>{});
    }

  private:
    template <size_t... kIndex>
    static int64_t invoke([[maybe_unused]] const uint64_t (&registers)[6],
                          std::index_sequence<kIndex...>) {
        auto result = function(static_cast<Args>(registers[kIndex])...);
        if (!result.ok()) [[unlikely]]
            return -static_cast<int64_t>(result.error().number());
        if constexpr (std::is_void_v<T>) {
            return 0;
        } else {
            return static_cast<int64_t>(result.value());
        }
    }
};
