// ASSERT and panic: for kernel bugs only. Nothing that a user program does may reach them.
// Under host tests panic prints to stderr and aborts (kernel/base/host_panic.cc).
#pragma once

// Prints the message, CPU, registers and backtrace, stops the other CPUs and ends the
// machine with the "panic" exit status. printf-style: see kernel/base/format.h.
[[noreturn, gnu::format(printf, 1, 2), gnu::cold]] void panic(const char* format, ...);

#define ASSERT(condition)                                                              \
    do {                                                                               \
        if (!(condition)) [[unlikely]]                                                 \
            panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);     \
    } while (0)

// What a starter calls where the student's work is missing:
//   lab 2: map is not implemented yet (labs/2-paging/page_map.cc)
#define LAB_TODO(lab, function, file) \
    panic("lab %d: %s is not implemented yet (%s)", lab, function, file)
