// What the log says of a program that a signal ended with a core dump (signal(7)); no core is
// written. Where it was, and who called that: frame pointers, and the functions of the
// program's symbol table (System V ABI, chapter 4), unless it was stripped. Of shared libraries
// only addresses.
#pragma once

struct Process;
struct TrapFrame;

// `process` is the calling one, `frame` its user registers. Sleeps.
void log_core_message(Process& process, int signal, const TrapFrame& frame);
