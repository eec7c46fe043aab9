// UBSan: what the compiler calls where a kernel built with SAN=1 does something undefined.
// Every report's first argument begins with the place in the source (GCC's libubsan ABI);
// the operands that follow are left out, as the place tells enough.
#include "kernel/base/log.h"
#include "kernel/base/types.h"

namespace {

struct SourceLocation {
    const char* file;
    uint32_t line, column;
};

[[noreturn]] void report(const char* what, const SourceLocation* at) {
    panic("UBSan: %s at %s:%u:%u", what, at->file, at->line, at->column);
}

}  // namespace

#define HANDLER(name, what)                                              \
    extern "C" [[noreturn]] void __ubsan_handle_##name(const SourceLocation* at) { \
        report(what, at);                                                \
    }
HANDLER(add_overflow_abort, "overflow of an addition")
HANDLER(sub_overflow_abort, "overflow of a subtraction")
HANDLER(mul_overflow_abort, "overflow of a multiplication")
HANDLER(negate_overflow_abort, "overflow of a negation")
HANDLER(divrem_overflow_abort, "division by zero, or its overflow")
HANDLER(shift_out_of_bounds_abort, "shift by too much, or of a negative value")
HANDLER(out_of_bounds_abort, "index out of bounds")
HANDLER(type_mismatch_v1_abort, "access through a null pointer or of too small an object")
HANDLER(pointer_overflow_abort, "overflow of a pointer")
HANDLER(load_invalid_value_abort, "load of a value that its type does not have")
HANDLER(invalid_builtin_abort, "invalid argument of a builtin")
HANDLER(nonnull_arg_abort, "null for an argument that must not be")
HANDLER(vla_bound_not_positive_abort, "array of no or negative size")
HANDLER(builtin_unreachable, "unreachable code reached")
HANDLER(missing_return, "end of a function without its return value")
