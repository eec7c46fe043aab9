// Terminal attributes and ioctl numbers (Linux x86-64 asm-generic/termbits.h, ioctls.h;
// POSIX XBD chapter 11).
#pragma once
#include <cstddef>
#include <cstdint>
#include <sys/ioctl.h>
#include <termios.h>

namespace abi {
inline constexpr size_t kControlCharacters = 19;
inline constexpr uint8_t kDisabledCharacter = 0;  // _POSIX_VDISABLE

// struct termios as TCGETS and TCSETS pass it (libc's own is larger).
struct Termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[kControlCharacters];
};
static_assert(sizeof(Termios) == 36);

// What a terminal starts with (Linux tty_std_termios).
inline constexpr Termios kDefaultTermios = {
    .iflag = ICRNL | IXON | IUTF8,
    .oflag = OPOST | ONLCR,
    .cflag = B38400 | CS8 | CREAD | HUPCL,
    .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
    .line = 0,
    // INTR ^C, QUIT ^\, ERASE DEL, KILL ^U, EOF ^D, TIME, MIN, SWTC, START ^Q, STOP ^S,
    // SUSP ^Z, EOL, REPRINT ^R, DISCARD ^O, WERASE ^W, LNEXT ^V, EOL2
    .cc = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0},
};
}  // namespace abi
