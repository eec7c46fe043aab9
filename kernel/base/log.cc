// The log ring and its way to the console.
//
// The ring holds text, not records: each line as log_read gives it,
//     <6>[    0.123456] text\n
// Positions count all bytes ever written; the ring keeps the last kRingSize of them, from
// `oldest_`, which always stands at the start of a line. One RawLock guards the ring and
// keeps the lines on the console in the same order (so a line is written with interrupts
// off: about 5 ms on a real 115200 baud port, nothing under the emulators).
#include "kernel/base/log.h"

#include <algorithm>

#include "kernel/base/format.h"
#include "kernel/base/raw_lock.h"
#include "kernel/base/runtime.h"

namespace {

constexpr size_t kRingSize = 64 * 1024;
constexpr size_t kMaxLine = 512;

RawLock lock;
char ring[kRingSize];
uint64_t oldest, newest;  // positions; newest is where the next byte goes
uint64_t shown;           // up to here the console has been given the lines
LogLevel console_level = LogLevel::Info;
uint64_t (*log_clock)();
void (*console)(const char* text, size_t length);

char& at(uint64_t position) { return ring[position % kRingSize]; }

void append(const char* text, size_t length) {
    while (newest + length - oldest > kRingSize) {
        while (at(oldest) != '\n') oldest++;
        oldest++;
    }
    for (size_t i = 0; i < length; i++) at(newest++) = text[i];
}

// Gives the console the lines it has not seen, without their "<level>".
void show() {
    if (shown < oldest) shown = oldest;
    char line[kMaxLine];
    while (shown < newest) {
        size_t length = 0;
        do line[length++] = at(shown++);
        while (line[length - 1] != '\n');
        if (line[1] - '0' <= static_cast<int>(console_level)) console(line + 3, length - 3);
    }
}

}  // namespace

void log(LogLevel level, const char* format, ...) {
    char text[kMaxLine];
    uint64_t microseconds = log_clock != nullptr ? log_clock() / 1000 : 0;
    size_t length = format_to(text, sizeof text, "<%u>[%5lu.%06lu] ",
                              static_cast<unsigned>(level), microseconds / 1000000,
                              microseconds % 1000000);
    va_list args;
    va_start(args, format);
    length += vformat_to(text + length, sizeof text - length, format, args);
    va_end(args);
    length = std::min(length, sizeof text - 1);
    std::replace(text, text + length, '\n', ' ');
    text[length++] = '\n';

    RawGuard guard(lock);
    append(text, length);
    if (console != nullptr) show();
}

void log_set_console_level(LogLevel level) { console_level = level; }

void log_set_clock(uint64_t (*nanoseconds)()) { log_clock = nanoseconds; }

void log_set_console(void (*write)(const char* text, size_t length)) {
    RawGuard guard(lock);
    console = write;
    if (console != nullptr) show();
}

bool log_write_raw(const char* text, size_t length) {
    if (console == nullptr) return false;
    console(text, length);
    return true;
}

size_t log_read(size_t offset, char* out, size_t size) {
    RawGuard guard(lock);
    size_t available = newest - oldest;
    if (offset >= available) return 0;
    size_t count = std::min(available - offset, size);
    for (size_t i = 0; i < count; i++) out[i] = at(oldest + offset + i);
    return count;
}

size_t log_size() {
    RawGuard guard(lock);
    return newest - oldest;
}
