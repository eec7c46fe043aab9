// PS/2 keyboard, scan code set 1, US layout.
#pragma once

// Sets up the controller; what is typed goes to `type`, a byte at a time, interrupts off:
// ASCII, control characters, and the escape sequences of a VT100 for cursor keys and such.
// After apic_init. Harmless where there is no keyboard.
void keyboard_init(void (*type)(char byte));
