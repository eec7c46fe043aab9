// /tests/posix: what the system calls promise, in small checks by family.
//
// Every expectation is what Linux does: the same binary passes on the build host, and that run
// is the proof of it. Where Linux itself differs between versions or file systems, a test
// accepts each answer that its manual page allows, or stays away. No test relies on a signal
// handler: what should kill kills a child, and its wait status is looked at.
//
// A group runs in a process of its own, in an empty directory of its own as working directory.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"

inline constexpr size_t kPage = 4096;

// files.cc
void test_open();
void test_io();
void test_append();
void test_seek();
void test_vectors();
void test_truncate();
void test_devices();
// descriptors.cc
void test_dup();
void test_fcntl();
void test_locks();
void test_sendfile();
// directories.cc
void test_mkdir();
void test_rmdir();
void test_unlink();
void test_list();
void test_cwd();
void test_rename();
void test_at();
// names.cc
void test_links();
void test_symlinks();
void test_paths();
// attributes.cc
void test_stat();
void test_modes();
void test_file_times();
void test_access();
// memory.cc
void test_mmap();
void test_munmap();
void test_mprotect();
void test_mremap();
void test_brk();
void test_madvise();
// mapped_files.cc
void test_file_mappings();
void test_shared_mappings();
// pipes.cc
void test_pipes();
void test_pipe_size();
void test_poll();
void test_select();
// pointers.cc
void test_bad_outputs();
void test_bad_inputs();
void test_bad_paths();
void test_bad_pieces();
// processes.cc
void test_fork();
void test_vfork();
void test_wait();
void test_sessions();
void test_identity();
// exec.cc
void test_exec();
void test_exec_errors();
void test_scripts();
// The program behind the tests of exec: judges what it was given, the result is its status.
int exec_child(int argc, char** argv);
// clocks.cc
void test_clocks();
void test_sleep();
void test_timers();
// system.cc
void test_uname();
void test_random();
void test_usage();
void test_limits();
void test_affinity();
void test_unknown();
void test_misc();
// proc.cc
void test_proc_system();
void test_proc_process();
void test_proc_links();
void test_perf();
// futexes.cc
void test_futex();
// fpu.cc
void test_fpu();

// The absolute path of this program (from /proc/self/exe).
const char* own_path();

// Byte `i` of every file and mapping that fill() made.
inline char pattern(size_t i) { return static_cast<char>(i * 7 + i / 251 + 1); }
void fill(void* memory, size_t size, size_t first = 0);
// The first byte that differs from the pattern, or `size`.
size_t filled_until(const void* memory, size_t size, size_t first = 0);
// Are all bytes of it `value`?
bool all_bytes(const void* memory, size_t size, char value);

// A file of `size` pattern bytes, open for reading and writing at offset 0. Exits on failure.
int make_file(const char* name, size_t size, mode_t mode = 0644);
// A file that holds this text, closed.
void make_text(const char* name, const char* text, mode_t mode = 0644);
bool exists(const char* name);  // without following a link
long size_of(const char* name);
ino_t inode_of(const char* name);

// Anonymous private memory; exits on failure.
char* map_pages(size_t pages, int protection = PROT_READ | PROT_WRITE);
// Addresses that no call may accept.
char* unmapped_page();
// The end of a page of 'a' bytes behind which nothing is mapped.
char* page_edge();

// What becomes of a child that reads, writes or jumps to an address: its wait status.
int status_of_read(const volatile char* at);
int status_of_write(volatile char* at);
int status_of_call(const void* at);

void sleep_ms(long ms);
uint64_t now_ns();
