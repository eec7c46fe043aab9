// Terminal attributes and ioctl numbers (Linux x86-64 asm-generic/termbits.h, ioctls.h;
// POSIX XBD chapter 11). Host tests take the constants of the host, which are the same.
#pragma once
#include <cstddef>
#include <cstdint>
#if __STDC_HOSTED__
#include <sys/ioctl.h>
#include <termios.h>
#else
// c_iflag
#define IGNBRK 0000001
#define BRKINT 0000002
#define IGNPAR 0000004
#define PARMRK 0000010
#define INPCK 0000020
#define ISTRIP 0000040
#define INLCR 0000100
#define IGNCR 0000200
#define ICRNL 0000400
#define IXON 0002000
#define IXANY 0004000
#define IXOFF 0010000
#define IMAXBEL 0020000
#define IUTF8 0040000
// c_oflag
#define OPOST 0000001
#define ONLCR 0000004
#define OCRNL 0000010
#define ONOCR 0000020
#define ONLRET 0000040
#define TAB3 0014000
// c_cflag
#define B38400 0000017
#define CS8 0000060
#define CREAD 0000200
#define HUPCL 0002000
// c_lflag
#define ISIG 0000001
#define ICANON 0000002
#define ECHO 0000010
#define ECHOE 0000020
#define ECHOK 0000040
#define ECHONL 0000100
#define NOFLSH 0000200
#define TOSTOP 0000400
#define ECHOCTL 0001000
#define ECHOKE 0004000
#define IEXTEN 0100000
// c_cc indexes
#define VINTR 0
#define VQUIT 1
#define VERASE 2
#define VKILL 3
#define VEOF 4
#define VTIME 5
#define VMIN 6
#define VSWTC 7
#define VSTART 8
#define VSTOP 9
#define VSUSP 10
#define VEOL 11
#define VREPRINT 12
#define VDISCARD 13
#define VWERASE 14
#define VLNEXT 15
#define VEOL2 16
// ioctl(2)
#define TCGETS 0x5401
#define TCSETS 0x5402
#define TCSETSW 0x5403
#define TCSETSF 0x5404
#define TCSBRK 0x5409
#define TCXONC 0x540A
#define TCFLSH 0x540B
#define TIOCSCTTY 0x540E
#define TIOCGPGRP 0x540F
#define TIOCSPGRP 0x5410
#define TIOCOUTQ 0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIONREAD 0x541B
#define TIOCNOTTY 0x5422
#define TCSBRKP 0x5425
#define TIOCGSID 0x5429
#define TIOCGPTN 0x80045430
#define TIOCSPTLCK 0x40045431
#define TIOCGPTLCK 0x80045439
#define TIOCGPTPEER 0x5441
// arguments of TCFLSH and TCXONC
#define TCIFLUSH 0
#define TCOFLUSH 1
#define TCIOFLUSH 2
#define TCOOFF 0
#define TCOON 1
#define TCIOFF 2
#define TCION 3
#endif

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

struct WindowSize {
    uint16_t rows, columns, x_pixels, y_pixels;
};

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
