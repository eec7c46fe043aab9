# The units of lab 4, for labs/4-sched and solutions/4-sched alike.
LAB_4_UNITS := switch.S run_queue.cc placement.cc wait_queue.cc shootdown.cc
