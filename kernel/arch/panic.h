// The end of the kernel; `panic` itself is declared in kernel/base/assert.h.
#pragma once
#include "kernel/arch/trap_frame.h"

// Panics because of the trap in `frame`: prints its registers, the decoded page walk of CR2
// for a page fault and the backtrace from where it happened. The message names the trap;
// `why`, when not null, is added to it.
[[noreturn, gnu::cold]] void panic_trap(TrapFrame& frame, const char* why);
// Is another CPU in a panic, so that this one must halt? For the NMI entry.
bool panic_stops_this_cpu();
