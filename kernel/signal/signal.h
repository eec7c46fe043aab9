// Signals (POSIX XSH 2.4). Pending sets and masks are 64-bit words, signal n is bit n - 1.
// The units are lab 6's; in their starter form only default actions and ignoring happen:
// handlers are stored, not called.
#pragma once
#include <cstdint>

#include "kernel/abi/signal.h"
#include "kernel/arch/trap_frame.h"
#include "kernel/base/result.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"

struct Process;

constexpr uint64_t signal_bit(int signal) { return 1ull << (signal - 1); }
inline constexpr uint64_t kUnblockable = signal_bit(SIGKILL) | signal_bit(SIGSTOP);

enum class DefaultAction : uint8_t { Terminate, CoreDump, Ignore, Stop, Continue };
DefaultAction default_action(int signal);

// Actions of a thread group; shared by its threads.
struct SignalActions {
    SpinLock lock{LockRank::Signal};
    abi::SigAction actions[kSignalCount] = {};  // of signal n at n - 1
};
// The group's own pending set, beside each thread's.
struct SignalGroup {
    SignalActions actions;
    std::atomic<uint64_t> pending{0};
};

// ---- Lab 6, pending.cc: state in Thread::signal_lab ----
void signal_init_thread(Thread& thread, const Thread* creator);  // inherits the mask
void signal_destroy_thread(Thread& thread);
uint64_t signal_mask(const Thread& thread);
void signal_set_mask(Thread& thread, uint64_t mask);  // kUnblockable is left out
// Adds `signal` to the thread's set / the group's, unless ignored; returns whether the
// target (or some thread of the group) should be notified.
bool signal_post_thread(Thread& thread, SignalGroup& group, int signal);
bool signal_post_group(SignalGroup& group, int signal);
// Is an unblocked signal pending for the thread? One load each, callable without locks.
bool signal_deliverable(const Thread& thread, const SignalGroup& group);
uint64_t signal_pending_set(const Thread& thread, const SignalGroup& group);
// Takes the next deliverable signal out of the sets (synchronous faults first, then the
// lowest number); 0: none.
int signal_take(Thread& thread, SignalGroup& group);

// ---- Lab 6, deliver.cc ----
// Runs with interrupts on, on the way back to user mode. Returns the signal whose default
// action is to end (or stop) the process, for the task layer to carry out, or 0.
int signal_deliver(Thread& thread, SignalGroup& group, TrapFrame& frame);

// ---- Lab 6, sigreturn.cc ----
Result<uint64_t> signal_return(Thread& thread, TrapFrame& frame);

// ---- Lab 6, job_control.cc ----
// May a background process group read / write its terminal? Returns the signal to send to
// it (SIGTTIN, SIGTTOU), or 0: go ahead.
int job_control_check(int32_t group, int32_t foreground_group, bool write, bool to_stop,
                      bool signal_blocked_or_ignored, bool orphaned);
