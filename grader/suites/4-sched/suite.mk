# Lab 4 on the host: CPUs are host threads (machine.cc). TSan for what they do at once.
LAB_4_HOST_UNITS := run_queue.cc placement.cc wait_queue.cc
LAB_4_TSAN_UNITS := run_queue.cc wait_queue.cc
LAB_4_HOST_KERNEL := grader/suites/4-sched/machine.cc kernel/sync/spinlock.cc \
  kernel/metrics/counters.cc kernel/base/host_panic.cc
LAB_4_HOST_LINK := -pthread
