# Lab 7 on the host: all but the clock's hardware and the ticks (machine.cc plays those), and
# the walk of lab 1 under the sampler. TSan for histograms and samples that are read while they
# are written.
LAB_7_HOST_UNITS := tsc.cc histogram.cc sampler.cc proc_stat.cc dir_index.cc
LAB_7_TSAN_UNITS := histogram.cc sampler.cc
LAB_7_HOST_KERNEL := grader/suites/7-profiling/machine.cc solutions/1-boot/backtrace.cc \
  $(addprefix kernel/,base/format.cc base/host_panic.cc mm/host_slab.cc)
LAB_7_HOST_LINK := -pthread
