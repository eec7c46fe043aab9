// The system calls, as C++ functions: Result<result> sys_<name>(parameters...) for each line
// of table.def. See adapt.h for how registers become the parameters.
#pragma once
#include <cstdint>

#include "kernel/abi/clone.h"
#include "kernel/abi/fcntl.h"
#include "kernel/abi/signal.h"
#include "kernel/abi/system.h"
#include "kernel/base/result.h"
#include "kernel/fs/inode.h"
#include "kernel/mm/user_access.h"
#include "kernel/signal/signal.h"
#include "kernel/task/process.h"

#define SYSCALL(number, name, result, ...) Result<result> sys_##name(__VA_ARGS__);
#define OLD_SYSCALL(...)
#include "kernel/syscall/table.def"
#undef SYSCALL
#undef OLD_SYSCALL
