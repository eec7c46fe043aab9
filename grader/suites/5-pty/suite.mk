# Lab 5 on the host: what needs no hardware. TSan for the ring's two sides at once (the line
# discipline is only linked there: line.cc, which both test programs have, wants it).
LAB_5_HOST_UNITS := ring.cc line_discipline.cc
LAB_5_TSAN_UNITS := ring.cc line_discipline.cc
LAB_5_HOST_KERNEL := grader/suites/5-pty/line.cc kernel/base/host_panic.cc
LAB_5_HOST_LINK := -pthread
