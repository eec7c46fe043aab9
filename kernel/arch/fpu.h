// The user's floating-point and vector registers (x87, SSE, AVX): how big their save area
// is and what it holds at the start of a program. Saving and restoring is lab 4's switch.S
// (fpu_save, fpu_restore in kernel/sched/run_queue.h). The kernel itself uses none of them.
#pragma once
#include <cstdint>

// Is the area in XSAVE's format? Else it is FXSAVE's (Intel SDM vol. 1, 10.5 and 13.4).
extern "C" uint8_t fpu_use_xsave;

// Sets fpu_use_xsave from cpu_features. Boot CPU.
void fpu_init();
// Fills `area` (cpu_features.xsave_size bytes, 64-byte aligned) with the state that the ABI
// gives a new program: all registers zero, x87 control word 0x37f, MXCSR 0x1f80 (System V
// ABI, 3.4.1).
void fpu_init_area(void* area);
// Copies one area to another (fork, signal frames).
void fpu_copy_area(void* to, const void* from);
// Makes any bytes an area that fpu_restore loads without a fault (Intel SDM vol. 1, 13.8.1):
// reserved bits of MXCSR, components that are off, and the header's reserved bytes become 0.
// `saved`: an area that fpu_save wrote, which says what bits MXCSR has here.
void fpu_make_loadable(void* area, const void* saved);
