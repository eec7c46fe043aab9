# Lab 1 on the host: the parsers and the stack walker.
LAB_1_HOST_UNITS := bootinfo.cc backtrace.cc
LAB_1_HOST_KERNEL := kernel/base/host_panic.cc
