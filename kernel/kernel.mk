# Builds the kernel. Every .cc and .S below kernel/ belongs to it (not *_test.cc and
# host_*.cc, which are for host tests), and of each lab the units that labs/N-name/lab.mk
# lists, taken from solutions/, labs/ or a directory as LAB_N says.
#
# A kernel is put together in four steps:
#   1. core     all objects of kernel/; in the release profile optimised across files (LTO)
#               into one relocatable core.o
#   2. lab-N.o  the units of one lab, likewise. Labs are optimised apart from the core, so
#               that another LAB_N recompiles its own units and relinks, in two seconds
#               instead of twenty, and what one lab's code becomes does not depend on others.
#   3. a first link with an empty symbol table, from which the real table is made
#   4. the final link with that table; it lies behind the code, so no address changes
#
#   build/obj/<profile>/kernel/...              objects of the core
#   build/obj/<profile>/units/<lab>-<variant>/  objects of a lab's units
#   build/kernels/<profile>-<variant>/mello.elf the kernel; build/mello.elf is the last built

# ---- Flags ----
CONFIG := $(PROFILE)$(if $(SAN),-san)
KOBJ := $(BUILD)/obj/$(CONFIG)

KERNEL_FLAGS := -ffreestanding -fno-pic -fno-pie -mno-red-zone -mcmodel=kernel \
  -mgeneral-regs-only -fno-stack-protector -fno-omit-frame-pointer \
  -mno-omit-leaf-frame-pointer -fno-asynchronous-unwind-tables -g
KERNEL_CXXFLAGS := -std=c++20 -fno-exceptions -fno-rtti -fno-threadsafe-statics \
  -Wall -Wextra -Werror
KERNEL_INCLUDES := -I. -I$(BUILD)/gen
ifeq ($(PROFILE),debug)
  KERNEL_OPT := -O2 -DMELLO_DEBUG=1
else ifeq ($(PROFILE),release)
  KERNEL_OPT := -O3
  KERNEL_LTO := -flto=auto
else
  $(error PROFILE=$(PROFILE): debug or release)
endif
ifdef SAN
  SANITIZE := -fsanitize=undefined -fno-sanitize=alignment,vptr -fno-sanitize-recover=all \
    -fsanitize=kernel-address --param asan-stack=0 --param asan-globals=0 \
    --param asan-instrumentation-with-call-threshold=0
  KERNEL_OPT += -DMELLO_SAN=1
endif
KERNEL_CXX := $(CXX) $(KERNEL_FLAGS) $(KERNEL_CXXFLAGS) $(KERNEL_OPT) $(KERNEL_INCLUDES)
KERNEL_AS := $(CXX) $(KERNEL_FLAGS) $(KERNEL_OPT) $(KERNEL_INCLUDES)
$(eval $(call stamp,$(KOBJ)/flags,$(KERNEL_CXX) $(SANITIZE) $(KERNEL_LTO)))

# ---- Sources ----
# A fixed depth of wildcards instead of a find process at each make.
KERNEL_SOURCES := $(filter-out %_test.cc,$(foreach e,cc S,$(wildcard \
  kernel/*.$e kernel/*/*.$e kernel/*/*/*.$e)))
# host_* is for host tests, san_* for kernels built with SAN=1.
KERNEL_SOURCES := $(foreach s,$(KERNEL_SOURCES),$(if $(filter host_% $(if $(SAN),,san_%),$(notdir $s)),,$s))
CORE_OBJECTS := $(addprefix $(KOBJ)/,$(addsuffix .o,$(KERNEL_SOURCES)))
$(eval $(call stamp,$(KOBJ)/core.list,$(CORE_OBJECTS)))

include $(wildcard labs/*/lab.mk)

# lab_name 3 -> 3-syscall;  lab_choice 3 -> ref | lab | directory
lab_name = $(notdir $(wildcard labs/$1-*))
LAB_CHOICE = $(or $(LAB_$1),ref)
# The folder that LAB_N chooses. While a lab has no reference yet, `ref` is its starter.
lab_folder = $(if $(filter ref,$(LAB_CHOICE)),$(or \
    $(patsubst %/,%,$(dir $(firstword $(wildcard $(addprefix solutions/$(lab_name)/,$(LAB_$1_UNITS)))))), \
    labs/$(lab_name)),$(if $(filter lab,$(LAB_CHOICE)),labs/$(lab_name),$(patsubst %/,%,$(LAB_CHOICE))))
# A directory's objects are kept by a checksum of its path.
path_id = d$(firstword $(shell realpath $1 | cksum))
lab_variant = $(if $(filter ref lab,$(LAB_CHOICE)),$(LAB_CHOICE),$(call path_id,$(LAB_CHOICE)))

# $(call lab_rules,N): objects of lab N's units, and its lab-N.o
define lab_rules
LAB_$1_FOLDER := $(strip $(call lab_folder,$1))
LAB_$1_VARIANT := $(call lab_variant,$1)
LAB_$1_OBJ := $(KOBJ)/units/$(call lab_name,$1)-$$(LAB_$1_VARIANT)
LAB_$1_OBJECTS := $$(addprefix $$(LAB_$1_OBJ)/,$$(addsuffix .o,$$(LAB_$1_UNITS)))
UNIT_OBJECTS += $$(LAB_$1_OBJECTS)
UNIT_SOURCES += $$(addprefix $$(LAB_$1_FOLDER)/,$$(LAB_$1_UNITS))
$$(LAB_$1_OBJ)/%.cc.o: $$(LAB_$1_FOLDER)/%.cc $(KOBJ)/flags
	$$(compile_cc)
$$(LAB_$1_OBJ)/%.S.o: $$(LAB_$1_FOLDER)/%.S $(KOBJ)/flags
	$$(compile_s)
$$(LAB_$1_OBJ)/lab.o: $$(LAB_$1_OBJECTS)
	$$(relocatable)
LAB_OBJECTS += $$(if $$(LAB_$1_UNITS),$$(LAB_$1_OBJ)/lab.o)
endef

# The checkers themselves, and who looks into freed memory on purpose, are not checked.
sanitize = $(if $(filter san_% slab.cc,$(notdir $<)),,$(SANITIZE))

define compile_cc
$(call say,CXX,$<)
@mkdir -p $(@D)
$(Q)$(KERNEL_CXX) $(sanitize) $(KERNEL_LTO) -MMD -MP -c $< -o $@
endef
define compile_s
$(call say,AS,$<)
@mkdir -p $(@D)
$(Q)$(KERNEL_AS) -Wa,--noexecstack -MMD -MP -c $< -o $@
endef
# Several objects into one, with LTO's code generation done. Without LTO a plain ld -r.
define relocatable
$(call say,LINK,$@)
$(Q)$(CXX) $(KERNEL_FLAGS) $(KERNEL_CXXFLAGS) $(KERNEL_OPT) $(KERNEL_LTO) -nostdlib -r \
  $(if $(KERNEL_LTO),-flinker-output=nolto-rel) $(filter %.o,$^) -o $@
endef

LAB_OBJECTS :=
UNIT_OBJECTS :=
UNIT_SOURCES :=
$(foreach n,$(LABS),$(eval $(call lab_rules,$n)))

$(KOBJ)/%.cc.o: %.cc $(KOBJ)/flags
	$(compile_cc)
$(KOBJ)/%.S.o: %.S $(KOBJ)/flags
	$(compile_s)

# ---- System calls: the names of all that Linux has, for the log; a list of ours for people ----
$(BUILD)/gen/linux_calls.def:
	@mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd_64.h>' | $(CXX) -E -dM - | \
	  sed -nE 's/^#define __NR_(\w+) ([0-9]+)$$/SYSCALL(\2, \1)/p' > $@
$(KOBJ)/kernel/syscall/table.cc.o: $(BUILD)/gen/linux_calls.def

$(BUILD)/syscalls.md: kernel/syscall/table.def
	@mkdir -p $(@D)
	$(Q)printf '# The system calls\n\n| number | name |\n|---|---|\n' > $@
	$(Q)sed -nE 's/^(OLD_)?SYSCALL\(([0-9]+), (\w+).*/| \2 | `\3` |/p' $< >> $@
$(BUILD)/mello.elf: | $(BUILD)/syscalls.md

# ---- The console's font, from Debian, as the numbers of a C array ----
CONSOLE_FONT := /usr/share/consolefonts/Unifont-APL8x16.psf.gz
$(CONSOLE_FONT):
	$(error $@ is missing, of the package psf-unifont; `make deps` installs it)
$(BUILD)/gen/console_font.inc: $(CONSOLE_FONT)
	@mkdir -p $(@D)
	$(Q)gzip -dc $< | od -An -v -tu1 | sed 's/[0-9]\+/&,/g' > $@
$(KOBJ)/kernel/drivers/screen.cc.o: $(BUILD)/gen/console_font.inc

# ---- Clang's thread-safety analysis: what GUARDED_BY and REQUIRES promise ----
# Nothing but the analysis. Clang 14 does not know destructors with constraints (Result);
# without the FPU it has no long double, which libstdc++'s headers name.
THREAD_SAFETY_CXX := clang++-16 $(filter-out -mgeneral-regs-only,$(KERNEL_FLAGS)) -std=c++20 \
  -fno-exceptions -fno-rtti -DMELLO_DEBUG=1 $(KERNEL_INCLUDES) -fsyntax-only -Wno-everything \
  -Wno-c++11-narrowing -Wthread-safety -Werror
THREAD_SAFETY := $(patsubst %,$(BUILD)/thread-safety/%.ok,\
  $(filter %.cc,$(KERNEL_SOURCES) $(wildcard solutions/*/*.cc)))
.PHONY: thread-safety
thread-safety: $(THREAD_SAFETY)
$(BUILD)/thread-safety/%.ok: % $(BUILD)/thread-safety/flags | $(BUILD)/gen/linux_calls.def \
  $(BUILD)/gen/console_font.inc
	$(call say,ANALYSE,$<)
	@mkdir -p $(@D)
	$(Q)$(THREAD_SAFETY_CXX) -MMD -MP -MT $@ -MF $(@:.ok=.d) $<
	@touch $@
$(eval $(call stamp,$(BUILD)/thread-safety/flags,$(THREAD_SAFETY_CXX)))
-include $(THREAD_SAFETY:.ok=.d)

# ---- Linking ----
# ref, or the labs that differ: 3lab, 2lab-4d123456789
comma :=
space := $(comma) $(comma)
VARIANT := $(or $(subst $(space),-,$(strip $(foreach n,$(LABS),$(if $(filter-out ref,\
  $(LAB_$n_VARIANT)),$n$(LAB_$n_VARIANT))))),ref)
KERNEL_DIR := $(BUILD)/kernels/$(CONFIG)-$(VARIANT)
KERNEL := $(KERNEL_DIR)/mello.elf
KERNEL_LD := $(CXX) -nostdlib -static -no-pie -Wl,-T,kernel/kernel.ld -Wl,-z,max-page-size=4096 \
  -Wl,-z,noexecstack -Wl,--build-id=none -Wl,--no-warn-rwx-segments

$(KOBJ)/core.o: $(CORE_OBJECTS) $(KOBJ)/core.list
	$(relocatable)

MAKE_SYMBOLS := kernel/arch/make_symbols.sh
$(KERNEL_DIR)/empty-symbols.S: $(MAKE_SYMBOLS)
	@mkdir -p $(@D)
	$(Q)$(MAKE_SYMBOLS) > $@
$(KERNEL_DIR)/symbols.S: $(KERNEL_DIR)/mello1.elf $(MAKE_SYMBOLS)
	$(Q)$(MAKE_SYMBOLS) $< > $@
$(KERNEL_DIR)/%.S.o: $(KERNEL_DIR)/%.S
	$(Q)$(CXX) -Wa,--noexecstack -c $< -o $@

define link_kernel
$(Q)$(KERNEL_LD) $(filter %.o,$^) -o $@
endef
$(KERNEL_DIR)/mello1.elf: $(KOBJ)/core.o $(LAB_OBJECTS) $(KERNEL_DIR)/empty-symbols.S.o \
  kernel/kernel.ld
	$(link_kernel)
$(KERNEL): $(KOBJ)/core.o $(LAB_OBJECTS) $(KERNEL_DIR)/symbols.S.o kernel/kernel.ld
	$(call say,LINK,$@)
	$(link_kernel)

# The variant that was built last, under a fixed name.
$(eval $(call stamp,$(BUILD)/flags/variant,$(KERNEL)))
$(BUILD)/mello.elf: $(KERNEL) $(BUILD)/flags/variant
	$(Q)cp $< $@

# ---- GRUB ISO: hybrid, BIOS and UEFI ----
ISO := $(BUILD)/mello.iso
$(ISO): $(BUILD)/mello.elf $(INITRAMFS) grader/tools/make_iso.sh
	$(call say,ISO,$@)
	$(Q)grader/tools/make_iso.sh $@ $(BUILD)/mello.elf $(INITRAMFS)

-include $(CORE_OBJECTS:.o=.d) $(UNIT_OBJECTS:.o=.d)
