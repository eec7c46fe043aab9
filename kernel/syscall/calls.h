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

