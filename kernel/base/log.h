// What the kernel has to say: the log, and for its own bugs ASSERT and panic.
//
// The log is a ring of lines with level and time stamp, copied to the console. Callable from
// any context, interrupts and panics included. Read by dmesg (syslog(2)).
// Under host tests both print to stderr (kernel/base/host_panic.cc).
#pragma once
#include <cstddef>
#include <cstdint>

enum class LogLevel : uint8_t { Error = 3, Warning = 4, Info = 6 };

[[gnu::format(printf, 2, 3)]] void log(LogLevel level, const char* format, ...);
#define log_error(...) log(LogLevel::Error, __VA_ARGS__)
#define log_warning(...) log(LogLevel::Warning, __VA_ARGS__)
#define log_info(...) log(LogLevel::Info, __VA_ARGS__)

// Lines of a level above this number are kept in the ring but not shown on the console.
void log_set_console_level(LogLevel level);

// Wiring, called by main.cc: the clock (nanoseconds since boot) and the console that
// receives finished lines. Before that, lines carry time 0 and go to the ring alone.
void log_set_clock(uint64_t (*nanoseconds)());
void log_set_console(void (*write)(const char* text, size_t length));

// For panic: writes to the console at once, past the ring and the lock. False when there is
// no console yet.
bool log_write_raw(const char* text, size_t length);

// Copies the log's text from byte position `offset` (0: the oldest kept) to `out`; returns
// the number of bytes. Lines look like "<6>[    0.123456] text\n".
size_t log_read(size_t offset, char* out, size_t size);
size_t log_size();  // bytes that log_read can give in all

// ---- For kernel bugs only: nothing that a user program does may reach these ----

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
