// Times as programs give them.
#pragma once
#include "kernel/base/result.h"
#include "kernel/fs/inode.h"

// EINVAL when it is negative or has a second or more of nanoseconds; cut to INT64_MAX.
Result<uint64_t> to_ns(const TimeSpec& time);
