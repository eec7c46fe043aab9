// PS/2 keyboard behind an 8042 controller, which translates to scan code set 1: a code below
// 0x80 is a key pressed, the same plus 0x80 the key released; 0xe0 introduces the keys that
// the PC/XT did not have. Source: IBM PS/2 Technical Reference, keyboard and controller.
#include "kernel/drivers/drivers.h"

#include <string_view>

#include "kernel/arch/apic.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/x86.h"

namespace {

constexpr uint16_t kData = 0x60, kStatus = 0x64, kCommand = 0x64;
constexpr uint8_t kOutputFull = 1 << 0, kInputFull = 1 << 1, kFromMouse = 1 << 5;
constexpr uint8_t kIrq = 1;

// By scan code, 0x00 to 0x39.
constexpr std::string_view kPlain(
    "\0\x1b" "1234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ", 58);
constexpr std::string_view kShifted(
    "\0\x1b" "!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ", 58);

constexpr uint8_t kLeftShift = 0x2a, kRightShift = 0x36, kControl = 0x1d, kAlt = 0x38,
                  kCapsLock = 0x3a, kExtended = 0xe0, kReleased = 0x80;

bool shift, control, alt, caps_lock, extended;
void (*type)(char byte);

// What a VT100 sends for the keys behind kExtended.
constexpr struct {
    uint8_t code;
    const char* text;
} kExtendedKeys[] = {
    {0x48, "\x1b[A"},  {0x50, "\x1b[B"},  {0x4d, "\x1b[C"},  {0x4b, "\x1b[D"},
    {0x47, "\x1b[H"},  {0x4f, "\x1b[F"},  {0x52, "\x1b[2~"}, {0x53, "\x1b[3~"},
    {0x49, "\x1b[5~"}, {0x51, "\x1b[6~"}, {0x1c, "\r"},      {0x35, "/"},
};

void press_extended(uint8_t code) {
    for (const auto& key : kExtendedKeys) {
        if (key.code != code) continue;
        for (const char* c = key.text; *c != '\0'; c++) type(*c);
    }
}

void press(uint8_t code) {
    if (code >= kPlain.size()) return;
    char plain = kPlain[code];
    bool letter = plain >= 'a' && plain <= 'z';
    char c = shift != (letter && caps_lock) ? kShifted[code] : plain;
    if (c == '\0') return;
    // Control keeps the low five bits of @, A-Z, [ \ ] ^ _ (and of their lower case).
    if (control && (c == ' ' || (c >= '@' && c <= '~'))) c &= 0x1f;
    if (alt) type('\x1b');
    type(c);
}

void on_code(uint8_t code) {
    if (code == kExtended) {
        extended = true;
        return;
    }
    bool released = code & kReleased, was_extended = extended;
    code &= static_cast<uint8_t>(~kReleased);
    extended = false;
    switch (code) {
        case kLeftShift:
        case kRightShift:
            if (!was_extended) shift = !released;  // extended: a fake shift around others
            return;
        case kControl: control = !released; return;
        case kAlt: alt = !released; return;
        case kCapsLock: caps_lock ^= !released; return;
    }
    if (released) return;
    if (was_extended) press_extended(code);
    else press(code);
}

void on_interrupt(TrapFrame&) {
    uint8_t status;
    while ((status = x86::inb(kStatus)) & kOutputFull) {
        uint8_t code = x86::inb(kData);
        if ((status & kFromMouse) == 0) on_code(code);
    }
}

// Waits a while for the controller; it may not exist.
bool wait(uint8_t bit, uint8_t value) {
    for (int i = 0; i < 10000; i++) {
        if ((x86::inb(kStatus) & bit) == value) return true;
    }
    return false;
}

void send(uint16_t port, uint8_t byte) {
    if (wait(kInputFull, 0)) x86::outb(port, byte);
}

void discard_input() {
    for (int i = 0; i < 64 && (x86::inb(kStatus) & kOutputFull); i++) x86::inb(kData);
}

}  // namespace

void keyboard_init(void (*to)(char byte)) {
    constexpr uint8_t kReadConfig = 0x20, kWriteConfig = 0x60, kEnablePort = 0xae;
    constexpr uint8_t kInterrupt = 1 << 0, kClockOff = 1 << 4, kTranslate = 1 << 6;
    type = to;
    if (x86::inb(kStatus) == 0xff) return;  // no controller
    discard_input();
    send(kCommand, kReadConfig);
    if (!wait(kOutputFull, kOutputFull)) return;
    uint8_t config = (x86::inb(kData) | kInterrupt | kTranslate) & ~kClockOff;
    send(kCommand, kWriteConfig);
    send(kData, config);
    send(kCommand, kEnablePort);
    discard_input();
    set_trap_handler(kVectorIrqBase + kIrq, on_interrupt);
    ioapic_enable_isa(kIrq);
}
