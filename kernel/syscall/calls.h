// The system calls, as C++ functions: Result<result> sys_<name>(parameters...) for each line
// of table.def. table.cc tells how registers become the parameters.
#pragma once
#include "kernel/abi/system.h"
#include "kernel/mm/user_access.h"
#include "kernel/drivers/clock.h"
#include "kernel/task/process.h"

#define SYSCALL(number, name, result, ...) Result<result> sys_##name(__VA_ARGS__);
#define OLD_SYSCALL(...)
#include "kernel/syscall/table.def"

// The deadline of a call that waits for a given time: that of before when it is made again
// after a stop, which Thread::restart_deadline_ns says.
inline uint64_t deadline_of_call(uint64_t deadline_ns) {
    uint64_t before = std::exchange(current_thread()->restart_deadline_ns, 0);
    return before != 0 ? before : deadline_ns;
}
