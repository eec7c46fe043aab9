# User programs and the initramfs. Included by the top Makefile, whose BUILD, Q, say and stamp it
# uses; paths are from the root of the repository, everything made lands under build/user and
# build/initramfs*.
#
# What becomes a program, and where it is installed in the guest:
#   user/init/*.cc              one program   /init
#   user/sh/*.cc                one program   /bin/mello-sh, our own shell
#   user/prof/*.cc              one program   /bin/prof, the profiler
#   user/power/*.cc             one program   /sbin/poweroff (halt and reboot are links to it)
#   user/tests/common/x.cc      a program each  /tests/x
#   user/tests/common/x/*.cc    one program   /tests/x
#   user/tests/N-name/x.cc      a program each  /tests/N-name/x
#   user/tests/N-name/x/*.cc    one program   /tests/N-name/x
# except user/tests/common/threads.cc, which is linked once against musl (/tests/threads-musl)
# and once against glibc (/tests/threads-glibc). Test programs are linked with user/tests/lib.
#
# A new program needs no line here: put its file in the right folder.
#
# Exported to the top Makefile:
#   INITRAMFS      the archive, build/initramfs.cpio (newc, the same bytes for the same input)
#   USER_PROGRAMS  the linked programs with symbols (for gdb), under build/user/root as installed
#
# The archive is written by cpio with numbers of our own choosing: names sorted, mtime 0, owner
# root, inodes renumbered, so it needs neither root nor fakeroot. Programs keep their symbols in
# it, for prof, but not what gdb reads.

INITRAMFS := $(BUILD)/initramfs.cpio
USER_PROGRAMS :=

user_root := $(BUILD)/initramfs-root
user_out := $(BUILD)/user
user_busybox := /bin/busybox

# --- compilers ------------------------------------------------------------------------------
# C++20 headers of GCC over musl's C headers: no package has that combination (EMULATORS.md,
# "User programs"). Nothing of libstdc++ is linked, hence no exceptions, RTTI and guard calls.
# _GLIBCXX_ATOMIC_WAIT_H leaves std::atomic::wait out, whose header wants glibc's pthreads;
# without extern templates std::string is compiled where it is used; __locale_t is glibc's name
# for what musl calls locale_t (<string> mentions it).

user_gcc_headers := $(shell g++ -print-file-name=include)
user_gcc_major := $(firstword $(subst ., ,$(shell g++ -dumpversion)))
user_common_flags := -std=c++20 -O2 -g -Wall -Wextra -Werror -I. -fno-exceptions -fno-rtti \
    -fno-threadsafe-statics -fno-asynchronous-unwind-tables -fno-pie -fno-omit-frame-pointer
user_flags_musl := $(user_common_flags) -nostdinc -nostdinc++ \
    -isystem /usr/include/c++/$(user_gcc_major) \
    -isystem /usr/include/x86_64-linux-gnu/c++/$(user_gcc_major) \
    -isystem /usr/include/x86_64-linux-musl -isystem $(user_gcc_headers) \
    '-D__GLIBC_PREREQ(a,b)=0' -D_GLIBCXX_ATOMIC_WAIT_H \
    -D_GLIBCXX_EXTERN_TEMPLATE=0 '-D__locale_t=struct __locale_struct *'
user_flags_glibc := $(user_common_flags) -pthread
user_link_musl := gcc -static -no-pie -specs=/usr/lib/x86_64-linux-musl/musl-gcc.specs
user_link_glibc := g++ -static -no-pie -pthread

# --- rules ----------------------------------------------------------------------------------

# $(call user_rules,libc): objects build/user/LIBC/x.o from user/x.cc with that C library, and
# the test library.
define user_rules
$$(eval $$(call stamp,$(user_out)/$(1).flags,$$(user_flags_$(1)) $$(user_link_$(1))))

$(user_out)/$(1)/%.o: user/%.cc $(user_out)/$(1).flags
	$$(call say,CXX,$$<)
	@mkdir -p $$(@D)
	$$(Q)g++ $$(user_flags_$(1)) -MMD -MP -c $$< -o $$@

user_lib_$(1) := $(user_out)/$(1)/libtest.a
user_lib_objects_$(1) := $(patsubst user/%.cc,$(user_out)/$(1)/%.o,$(sort $(wildcard user/tests/lib/*.cc)))
$$(user_lib_$(1)): $$(user_lib_objects_$(1)) $(user_out)/contents
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && ar rcsD $$@ $$(filter %.o,$$^)
user_objects += $$(user_lib_objects_$(1))
endef
user_objects :=
$(eval $(call user_rules,musl))
$(eval $(call user_rules,glibc))

# $(call user_program,path in the guest,sources,libc[,library]): one program.
define user_program
USER_PROGRAMS += $(user_out)/root$(1)
user_objects += $(patsubst user/%.cc,$(user_out)/$(3)/%.o,$(2))
$(user_out)/root$(1): $(patsubst user/%.cc,$(user_out)/$(3)/%.o,$(2)) $(4) $(user_out)/contents
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(user_link_$(3)) $$(filter %.o %.a,$$^) -o $$@
endef

# $(call user_test_folder,folder,path in the guest): every program of a folder of tests.
define user_test_folder
$(foreach source,$(filter-out user/tests/common/threads.cc,$(sort $(wildcard $(1)/*.cc))), \
    $(eval $(call user_program,$(2)/$(basename $(notdir $(source))),$(source),musl,$(user_lib_musl))))
$(foreach dir,$(patsubst %/,%,$(sort $(dir $(wildcard $(1)/*/*.cc)))), \
    $(eval $(call user_program,$(2)/$(notdir $(dir)),$(sort $(wildcard $(dir)/*.cc)),musl,$(user_lib_musl))))
endef

$(eval $(call user_program,/init,$(sort $(wildcard user/init/*.cc)),musl))
$(eval $(call user_program,/bin/mello-sh,$(sort $(wildcard user/sh/*.cc)),musl))
$(eval $(call user_program,/bin/prof,$(sort $(wildcard user/prof/*.cc)),musl))
$(eval $(call user_program,/sbin/poweroff,$(sort $(wildcard user/power/*.cc)),musl))
$(foreach libc,musl glibc,$(eval $(call \
    user_program,/tests/threads-$(libc),user/tests/common/threads.cc,$(libc),$(user_lib_$(libc)))))
$(call user_test_folder,user/tests/common,/tests)
$(foreach folder,$(sort $(wildcard user/tests/[0-9]-*)), \
    $(call user_test_folder,$(folder),/tests/$(notdir $(folder))))

-include $(sort $(user_objects:.o=.d))

# --- initramfs ------------------------------------------------------------------------------

user_files := $(sort $(shell find user/rootfs -type f))
# What there is; a file that comes or goes links and packs anew.
$(eval $(call stamp,$(user_out)/contents,$(sort $(USER_PROGRAMS) $(user_objects)) $(user_files)))

# The applet links go in first: what we install ourselves (poweroff) replaces busybox's.
$(INITRAMFS): $(USER_PROGRAMS) $(user_files) $(user_out)/contents $(user_busybox) user/user.mk
	$(call say,CPIO,$@)
	$(Q)rm -rf $(user_root) $@.new
	$(Q)cd $$(mkdir -p $(user_root) && echo $(user_root)) && \
	    mkdir -p bin sbin usr/bin usr/sbin dev proc tmp root etc run tests && \
	    cp $(user_busybox) bin/busybox && \
	    bin/busybox --list-full | grep -vx bin/busybox | \
	        while read -r link; do ln -sf /bin/busybox "$$link"; done && \
	    ln -sf busybox bin/sh && rm -f sbin/poweroff sbin/halt sbin/reboot && \
	    ln -s poweroff sbin/halt && ln -s poweroff sbin/reboot
	$(Q)cd $(user_out)/root && \
	    cp --parents $(patsubst $(user_out)/root/%,%,$(USER_PROGRAMS)) $(abspath $(user_root))
	$(Q)strip --strip-debug $(patsubst $(user_out)/root/%,$(user_root)/%,$(USER_PROGRAMS))
	$(Q)cp -R user/rootfs/. $(user_root)
	$(Q)cd $(user_root) && chmod -R u=rwX,go=rX . && chmod 1777 tmp && \
	    chmod 700 root && find . -exec touch -h -d @0 {} + && \
	    find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | \
	    cpio --quiet -o -H newc --reproducible -R 0:0 > $(abspath $@.new)
	$(Q)mv $@.new $@
