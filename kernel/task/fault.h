// Exceptions of user programs become signals.
#pragma once
#include "kernel/arch/trap_frame.h"

// Sets the trap handlers of all exceptions that a user program can cause, the page fault's
// included (page_fault_init). Boot CPU, once.
void fault_init();

// Called first for #UD in user mode; returns true when it dealt with the instruction.
void set_undefined_instruction_hook(bool (*hook)(TrapFrame& frame));
