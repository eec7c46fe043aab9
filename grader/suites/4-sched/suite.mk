# Lab 4 on the host: CPUs are host threads (machine.cc, unit_shootdown.cc), and the checker of
# lock ranks looks on. TSan for what CPUs do at once. switch.S holds an absolute address.
LAB_4_HOST_UNITS := run_queue.cc placement.cc wait_queue.cc shootdown.cc switch.S
LAB_4_TSAN_UNITS := run_queue.cc wait_queue.cc
LAB_4_HOST_KERNEL := grader/suites/4-sched/machine.cc kernel/sync/spinlock.cc \
  kernel/metrics/counters.cc kernel/base/host_panic.cc solutions/7-profiling/histogram.cc
LAB_4_HOST_DEBUG := -debug
LAB_4_HOST_LINK := -pthread -no-pie
