# Lab 6 on the host: pending.cc, which needs no hardware. TSan for what posters and the thread
# itself do at once.
LAB_6_HOST_UNITS := pending.cc
LAB_6_TSAN_UNITS := pending.cc
LAB_6_HOST_KERNEL := grader/suites/6-signals/target.cc kernel/signal/actions.cc kernel/sync/spinlock.cc \
  kernel/metrics/counters.cc solutions/7-profiling/histogram.cc kernel/mm/host_slab.cc kernel/base/host_panic.cc
LAB_6_HOST_LINK := -pthread
