# The units of lab 1, for labs/1-boot and solutions/1-boot alike.
LAB_1_UNITS := entry.S bootinfo.cc descriptors.cc uart.cc backtrace.cc
