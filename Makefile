# MelloOS Labs: the one entry point. `make help` lists the targets and variables.
#
# One non-recursive build. This file holds the interface (variables, targets) and includes
# three parts that each build one thing and name it in a variable:
#
#   kernel/kernel.mk   KERNEL     build/kernels/<profile>-<variant>/mello.elf, and ISO
#   user/user.mk       INITRAMFS  build/initramfs.cpio
#   grader/grader.mk   MELLO      build/bin/mello, the program behind run, grade and check
#
# What is written for people goes to stderr, so that stdout of `make run` is exactly what
# CMD printed.
MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

BUILD := build
CXX := g++
INITRAMFS := $(BUILD)/initramfs.cpio
LABS := 1 2 3 4 5 6 7

# ---- Variables of the interface (DESIGN.md, "Make interface") ----
PROFILE ?= debug
SMP ?= 1
EMU ?= qemu
CLOCK ?= wall
BOOT ?= pvh
ACCEL ?= tcg
MEM ?= 256
TIMEOUT ?= 120
EXTRA ?=
SAN ?=
V ?=
LAB ?=
TEST ?=
SEED ?=
ARGS ?=

# CMD reaches the guest as it was typed: make must not expand its dollar signs, and it
# travels in the environment so that the shell does not see its quotes.
ifdef CMD
override CMD := $(value CMD)
endif
export CMD

Q := $(if $(V),,@)
# $(call say,VERB,what): one line a step.
say = @printf '%-8s %s\n' '$1' '$2' >&2
# $(call stamp,FILE,TEXT) keeps FILE's text equal to TEXT and its time unchanged while it
# is, so that what depends on FILE is rebuilt when TEXT (flags, a file list) changes.
define stamp
ifneq ($$(strip $$(file <$1)),$$(strip $2))
$$(shell mkdir -p $(dir $1))
$$(file >$1,$$(strip $2))
endif
endef

# ---- Packages: whatever is missing is installed before anything else is done ----
QUIET_GOALS := clean help deps lines layers
ifneq ($(filter-out $(QUIET_GOALS),$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell grader/tools/deps.sh check || echo failed),)
$(error packages are missing, see above; `make deps` installs them)
endif
endif

include kernel/kernel.mk
include $(wildcard user/user.mk)
include grader/grader.mk

# ---- Targets ----
.PHONY: all kernel deps qemu bochs run debug rewind flame grade mutants baseline check proof lines layers clean help
.PHONY: variant-units FORCE

all: $(KERNEL) $(BUILD)/mello.elf $(INITRAMFS) $(ISO) $(MELLO)

kernel: $(KERNEL) $(BUILD)/mello.elf

deps:
	@grader/tools/deps.sh install

MACHINE = --kernel $(KERNEL) --initramfs $(INITRAMFS) --smp $(SMP) --emu $(EMU) \
          --clock $(CLOCK) --boot $(BOOT) --accel $(ACCEL) --mem $(MEM) \
          $(if $(EXTRA),--extra $(EXTRA))
RUN_NEEDS := $(KERNEL) $(INITRAMFS) $(MELLO)

run: $(RUN_NEEDS)
	$(if $(CMD),,$(error say what to run: make run CMD='uname -a'))
	@$(MELLO) run $(MACHINE) --timeout $(TIMEOUT) -- "$$CMD"

qemu bochs: override EMU = $@
qemu bochs: $(RUN_NEEDS)
	@$(MELLO) boot $(MACHINE)

debug: $(RUN_NEEDS)
	@$(MELLO) debug $(MACHINE)

rewind: $(RUN_NEEDS)
	$(if $(CMD),,$(error say what to record: make rewind CMD='/tests/posix'))
	@$(MELLO) rewind $(MACHINE) --timeout $(TIMEOUT) $(ARGS) -- "$$CMD"

flame: $(RUN_NEEDS)
	$(if $(CMD),,$(error say what to profile: make flame CMD='ls -lR /'))
	@$(MELLO) flame $(MACHINE) --timeout $(TIMEOUT) -- "$$CMD"

# LAB_n=... choose what is graded; LAB= and TEST= narrow it down. Release profile always.
LAB_CHOICES = $(foreach n,$(LABS),$(if $(filter-out ref,$(LAB_$n)),LAB_$n=$(LAB_$n)))
GRADE_ARGS = $(if $(LAB),--lab $(LAB)) $(if $(TEST),--test '$(TEST)') \
             $(if $(SEED),--seed $(SEED)) $(foreach c,$(LAB_CHOICES),--units $c) $(ARGS)

grade: $(MELLO)
	@$(MELLO) grade $(GRADE_ARGS)

mutants: $(MELLO)
	@$(MELLO) mutants $(if $(LAB),--lab $(LAB)) $(if $(TEST),--only '$(TEST)') $(ARGS)

baseline: $(MELLO)
	@$(MELLO) baseline $(if $(LAB),--lab $(LAB)) $(ARGS)

check: $(MELLO)
	@$(MELLO) check $(ARGS)

proof: $(MELLO)
	@$(MELLO) check --proof $(ARGS)

lines:
	@grader/checks/lines.sh

layers:
	@grader/checks/layers.sh

# Written from the same variables that compile, for editors and clang-tidy.
compile_commands.json: $(BUILD)/flags/compile-commands grader/tools/compile_commands.sh
	$(call say,GEN,$@)
	$(Q)KERNEL_CXX='$(KERNEL_CXX)' HOST_CXX='$(HOST_CXX)' grader/tools/compile_commands.sh \
	  '$(KERNEL_SOURCES) $(UNIT_SOURCES)' '$(HOST_SOURCES)' > $@
$(eval $(call stamp,$(BUILD)/flags/compile-commands,$(KERNEL_CXX) $(HOST_CXX) \
  $(KERNEL_SOURCES) $(UNIT_SOURCES) $(HOST_SOURCES)))

clean:
	rm -rf $(BUILD) compile_commands.json

FORCE:

define HELP
make                     kernel, initramfs and GRUB ISO under build/
make deps                installs the packages that packages.txt names (apt)
make qemu | make bochs   interactive, on this terminal
make run CMD='...'       boots headless, runs CMD in the guest's shell, prints its output
make debug               QEMU under gdb, with symbols and helpers (see .gdbinit)
make rewind CMD='...'    records a run of CMD, then replays it in gdb, which can step backwards
make flame CMD='...'      profiles CMD in the guest: build/flame/stacks.folded and flame.svg
make grade [LAB=3] [TEST=name]
                         grades this tree; scorecard, build/grade/*.json (SEED=n repeats a run)
make mutants [LAB=3]     every planted mistake must be caught by the suite of its lab
make baseline            measures the starters' figures anew, which some thresholds refer to
make check               the project's own tests (15 minutes); make proof: the long form
make lines | make layers code lines against their budget | includes against the layers
make thread-safety       lock annotations, by clang
make compile_commands.json, make clean

LAB_1..LAB_7 = ref (the reference, default) | lab (the starter) | a directory of units
SMP=n  EMU=qemu|bochs  CLOCK=wall|icount  BOOT=pvh|grub|uefi  ACCEL=tcg|kvm  MEM=MiB
TIMEOUT=seconds  EXTRA=dir (copied over the initramfs)  PROFILE=debug|release
SAN=1 (sanitizers)  V=1 (show commands)
endef
export HELP
help:
	@echo "$$HELP"
