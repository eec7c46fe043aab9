// What the files of kernel/task share among themselves.
#pragma once
#include "kernel/task/process.h"

// ---- process.cc: all REQUIRE process_tree unless said otherwise ----

// A thread or process id that nobody uses.
int32_t allocate_tid();
// Makes `process` findable, as a child of `parent` (nullptr: init).
void link_process(Process& process, Process* parent);
// Takes a zombie out of the tree and frees it.
void release_zombie(Process& zombie);
// Adds a thread to its process; refuses (EAGAIN) when that is ending or in an exec.
Result<void> link_thread(Process& process, Thread& thread);

// ---- exit.cc ----

inline constexpr uint32_t kCoreDumped = 0x80;  // in a wait status

// exit_group for a caller that has to clean up first: the thread ends on its way to user mode.
void begin_exit_group(uint32_t wait_status);

// The vfork parent of this process may go on. Takes process_tree.
void release_vfork_parent(Process& process);
// Ends all threads but the caller's, for exec. Returns when they are gone. EAGAIN when
// another thread does the same.
Result<void> end_other_threads();

// ---- exec.cc ----

// execve(2) with a kernel string, for init: its only argument is the path.
Result<void> exec_init(const char* path);

// ---- signals.cc ----

// Is the calling thread to die, whatever else it waits for?
bool kill_pending(Thread& thread);
