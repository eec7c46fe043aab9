# Lab 1 on the host: the parsers, the stack walker, and the UART against a model of the chip
# (kernel/arch/x86.h lets the test play the ports).
LAB_1_HOST_UNITS := bootinfo.cc backtrace.cc uart.cc
LAB_1_HOST_KERNEL := kernel/base/host_panic.cc
