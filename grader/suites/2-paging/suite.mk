# Lab 2 on the host: the units over a simulated RAM (machine.cc), and over it the kernel's own
# regions and mmap family, which lean on the page map. TSan for what CPUs share: the frames.
LAB_2_HOST_UNITS := frames.cc page_map.cc fault.cc clone.cc
LAB_2_TSAN_UNITS := $(LAB_2_HOST_UNITS)
LAB_2_HOST_KERNEL := grader/suites/2-paging/machine.cc kernel/base/host_panic.cc \
  $(addprefix kernel/mm/,frame.cc address_space.cc mapping.cc \
  page_store.cc host_slab.cc)
