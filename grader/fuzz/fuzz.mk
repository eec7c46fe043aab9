# Kernel sources that each fuzzer needs.
FUZZ_cpio_fuzz := kernel/fs/cpio.cc kernel/base/host_panic.cc
FUZZ_path_fuzz := kernel/fs/path.cc kernel/base/host_panic.cc
FUZZ_arguments_fuzz := kernel/task/program.cc kernel/mm/host_slab.cc kernel/base/host_panic.cc
FUZZ_elf_fuzz := $(FUZZ_arguments_fuzz)
