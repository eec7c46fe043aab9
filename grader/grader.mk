# The autograder: a library (grader/lib), the program build/bin/mello over it (grader/cli),
# and for each lab its suite:
#
#   build/bin/suite-N     booted tests   grader/suites/N-name/boot_*.cc
#   build/host/.../N-asan host unit tests of the lab's units, with ASan and UBSan
#   build/host/.../N-tsan those of what is lock-free, with TSan
#
# A new suite file is found by its name; which sources of the kernel a host test needs
# stands in grader/suites/N-name/suite.mk. How to write a test: grader/suites/suite.h.
MELLO := $(BUILD)/bin/mello
GOBJ := $(BUILD)/obj/grader

# Light optimisation: the host code waits for emulators, and two cores compile it.
HOST_CXX := $(CXX) -std=c++20 -O1 -g -Wall -Wextra -Werror -I.
HOST_LIBS := -larchive -ldw -lfmt
$(eval $(call stamp,$(GOBJ)/flags,$(HOST_CXX)))

GRADER_LIB_SOURCES := $(filter-out %_test.cc,$(wildcard grader/lib/*.cc))
MELLO_SOURCES := $(filter-out %_test.cc,$(wildcard grader/cli/*.cc))
GRADER_TEST_SOURCES := $(wildcard grader/lib/*_test.cc grader/cli/*_test.cc)
SUITE_SOURCES := $(wildcard grader/suites/*.cc grader/suites/*/boot_*.cc)
HOST_SOURCES := $(GRADER_LIB_SOURCES) $(MELLO_SOURCES) $(GRADER_TEST_SOURCES) $(SUITE_SOURCES)
grader_objects = $(patsubst %.cc,$(GOBJ)/%.o,$1)
GRADER_LIB := $(GOBJ)/libgrader.a

$(GOBJ)/%.o: %.cc $(GOBJ)/flags
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_CXX) -MMD -MP -c $< -o $@

$(GRADER_LIB): $(call grader_objects,$(GRADER_LIB_SOURCES))
	$(Q)rm -f $@ && ar rcs $@ $^

define link_host
$(call say,LINK,$@)
@mkdir -p $(@D)
$(Q)$(HOST_CXX) $(filter %.o %.a,$^) $1 $(HOST_LIBS) -o $@
endef

$(MELLO): $(call grader_objects,$(MELLO_SOURCES)) $(GRADER_LIB) $(BUILD)/probe.elf
	$(call link_host)

# The tests of the grader itself.
GRADER_TESTS := $(BUILD)/bin/grader-tests
$(GRADER_TESTS): $(call grader_objects,$(GRADER_TEST_SOURCES) \
    $(filter-out grader/cli/main.cc,$(MELLO_SOURCES))) $(GRADER_LIB) | $(BUILD)/probe.elf
	$(call link_host,-lgtest -lgtest_main)

$(BUILD)/probe.elf: grader/payload/probe.S
	$(Q)mkdir -p $(@D) && gcc -m32 -c $< -o $(BUILD)/probe.o && \
	  ld -m elf_i386 -Ttext=0x100000 -e start $(BUILD)/probe.o -o $@

# ---- Suites ----
SUITE_COMMON := $(call grader_objects,$(wildcard grader/suites/*.cc))
# What the host tests of a lab need beside its units; set in suite.mk:
#   LAB_2_HOST_UNITS   units that compile for the host (names as in lab.mk)
#   LAB_2_HOST_LINK    further flags of the link
#   LAB_2_HOST_KERNEL  further sources, from the root of the tree
#   LAB_2_TSAN_UNITS   units for the TSan build, when there are tsan_*.cc tests
#   LAB_2_HOST_DEBUG   "-debug": with the checks of the kernel's debug build, lock ranks above
#                      all (HOST_KERNEL then needs kernel/sync/spinlock.cc)
include $(wildcard grader/suites/*/suite.mk)

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_tsan := -fsanitize=thread -Wno-tsan
$(foreach s,asan tsan,$(eval SANITIZE_$s-debug := $(SANITIZE_$s) -DMELLO_DEBUG=1))
PREFIX_asan := unit
PREFIX_tsan := tsan
HOST_TEST_CXX := $(CXX) -std=c++20 -O1 -g -Wall -Wextra -I. -fno-omit-frame-pointer
$(eval $(call stamp,$(BUILD)/obj/host/flags,$(HOST_TEST_CXX)))

# $(call host_compile,SANITIZER): objects of one kind of host test, for sources of the tree
# (tests, kernel files), built once for all variants.
define host_compile
$(BUILD)/obj/host/$1/%.o: %.cc $(BUILD)/obj/host/flags
	$$(call say,CXX,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_TEST_CXX) $$(SANITIZE_$1) -MMD -MP -c $$< -o $$@
endef
$(foreach s,asan tsan asan-debug tsan-debug,$(eval $(call host_compile,$s)))

# $(call host_suite,N,SANITIZER)
define host_suite
HOST_DIR_$1_$2 := $(BUILD)/host/$(call lab_name,$1)-$$(LAB_$1_VARIANT)
HOST_TESTS_$1_$2 := $(wildcard grader/suites/$(call lab_name,$1)/$(PREFIX_$2)_*.cc)
HOST_UNITS_$1_$2 := $(LAB_$1_$(if $(filter asan,$2),HOST,TSAN)_UNITS)
HOST_OBJECTS_$1_$2 := $$(patsubst %.cc,$(BUILD)/obj/host/$2$(LAB_$1_HOST_DEBUG)/%.o,$$(HOST_TESTS_$1_$2) \
  grader/suites/reporter.cc $(LAB_$1_HOST_KERNEL)) \
  $$(addprefix $$(HOST_DIR_$1_$2)/$2$(LAB_$1_HOST_DEBUG)/,$$(addsuffix .o,$$(basename $$(HOST_UNITS_$1_$2))))
$$(HOST_DIR_$1_$2)/$2$(LAB_$1_HOST_DEBUG)/%.o: $$(LAB_$1_FOLDER)/%.cc $(BUILD)/obj/host/flags
	$$(call say,CXX,$$< ($2))
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_TEST_CXX) $$(SANITIZE_$2$(LAB_$1_HOST_DEBUG)) -MMD -MP -c $$< -o $$@
$$(HOST_DIR_$1_$2)/$2$(LAB_$1_HOST_DEBUG)/%.o: $$(LAB_$1_FOLDER)/%.S $(BUILD)/obj/host/flags
	$$(call say,AS,$$< ($2))
	@mkdir -p $$(@D)
	$$(Q)$$(HOST_TEST_CXX) -MMD -MP -c $$< -o $$@
$$(HOST_DIR_$1_$2)/$2-tests: $$(HOST_OBJECTS_$1_$2)
	$$(call say,LINK,$$@)
	$$(Q)$$(HOST_TEST_CXX) $$(SANITIZE_$2) $$^ $$(LAB_$1_HOST_LINK) -lgtest -o $$@
HOST_SUITES_$1 += $$(if $$(HOST_TESTS_$1_$2),$2=$$(HOST_DIR_$1_$2)/$2-tests)
HOST_TEST_OBJECTS += $$(HOST_OBJECTS_$1_$2)
endef

# What `mello grade` builds for a lab, with LAB_n and PROFILE=release as it wants them. Each
# target prints where its results are, as name=path:
#   graded-kernel    the kernel of this variant, and the initramfs
#   host-suites-N    host tests, linked with this variant's units
#   boot-suite-N     booted tests, the same for all variants
define suite
BOOT_SUITE_$1 := $(if $(wildcard grader/suites/$(call lab_name,$1)/boot_*.cc),$(BUILD)/bin/suite-$1)
$(BUILD)/bin/suite-$1: $(call grader_objects,$(wildcard grader/suites/$(call lab_name,$1)/boot_*.cc)) \
    $(SUITE_COMMON) $(GRADER_LIB)
	$$(call link_host,-lgtest)
.PHONY: host-suites-$1 boot-suite-$1
host-suites-$1: $$(foreach s,$$(HOST_SUITES_$1),$$(lastword $$(subst =, ,$$s)))
	@printf '%s\n' $$(HOST_SUITES_$1)
boot-suite-$1: $$(BOOT_SUITE_$1)
	@printf '%s\n' $$(BOOT_SUITE_$1:%=boot=%)
endef
.PHONY: graded-kernel
graded-kernel: $(KERNEL) $(INITRAMFS)
	@printf '%s\n' kernel=$(KERNEL) initramfs=$(INITRAMFS)
HOST_TEST_OBJECTS :=
$(foreach n,$(LABS),$(foreach s,asan tsan,$(eval $(call host_suite,$n,$s))))
$(foreach n,$(LABS),$(eval $(call suite,$n)))

# ---- Host tests of kernel parts that belong to no lab ----
KERNEL_TESTS := $(BUILD)/host/kernel-tests
KERNEL_TEST_OBJECTS := $(patsubst %.cc,$(BUILD)/obj/host/asan/%.o,\
  $(wildcard grader/suites/host/common/*.cc) kernel/fs/cpio.cc kernel/fs/path.cc \
  kernel/base/host_panic.cc)
$(KERNEL_TESTS): $(KERNEL_TEST_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(HOST_TEST_CXX) $(SANITIZE_asan) $^ -lgtest -lgtest_main -o $@
HOST_TEST_OBJECTS += $(KERNEL_TEST_OBJECTS)

# ---- mello-sh at a terminal: the program of the guest, on this machine ----
SHELL_TESTS := $(BUILD)/bin/shell-tests
SHELL_TEST_OBJECTS := $(call grader_objects,$(wildcard user/sh/tests/*_test.cc))
$(SHELL_TESTS): $(SHELL_TEST_OBJECTS) $(GRADER_LIB) | $(BUILD)/user/root/bin/mello-sh
	$(call link_host,-lgtest -lgtest_main)
HOST_TEST_OBJECTS += $(SHELL_TEST_OBJECTS)

# ---- Fuzzers: grader/fuzz/x.cc with libFuzzer, seeds in x.seeds/; the kernel sources that
# they need are FUZZ_x in fuzz.mk ----
include $(wildcard grader/fuzz/fuzz.mk)
FUZZ_CXX := clang++-16 -std=c++20 -O1 -g -Wall -Wextra -I. -fsanitize=fuzzer,address,undefined \
  -fno-sanitize-recover=all
define fuzzer
$(BUILD)/fuzz/$1: grader/fuzz/$1.cc $(FUZZ_$1) $(BUILD)/obj/host/flags
	$$(call say,FUZZ,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(FUZZ_CXX) $$(filter %.cc,$$^) -o $$@
endef
FUZZERS := $(basename $(notdir $(wildcard grader/fuzz/*.cc)))
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$f)))

# What `make check` runs itself.
.PHONY: test-programs
test-programs: all $(GRADER_TESTS) $(KERNEL_TESTS) $(SHELL_TESTS) $(FUZZERS:%=$(BUILD)/fuzz/%)

-include $(patsubst %.cc,$(GOBJ)/%.d,$(HOST_SOURCES)) $(HOST_TEST_OBJECTS:.o=.d)
