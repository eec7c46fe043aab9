# The units of lab 3, for labs/3-syscall and solutions/3-syscall alike.
LAB_3_UNITS := entry.S setup.cc dispatch.cc user_copy.S
