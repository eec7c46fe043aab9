# The units of lab 7, for labs/7-profiling and solutions/7-profiling alike.
LAB_7_UNITS := tsc.cc histogram.cc sampler.cc proc_stat.cc dir_index.cc
