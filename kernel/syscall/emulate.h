// SYSCALL for CPUs on which it is switched off, the slow way: the instruction raises #UD,
// and the handler does what the CPU would have done. It lets a kernel run programs before
// its lab 3 is built.
#pragma once

// From now on an undefined instruction in user mode that is a SYSCALL is emulated. Any CPU,
// any number of times.
void syscall_emulation_enable();
