// Signals (POSIX XSH 2.4). Pending sets and masks are 64-bit words, signal n is bit n - 1.
// The units are lab 6's; in their starter form only default actions and ignoring happen:
// handlers are stored, not called.
//
// Who may touch what: a thread's mask is changed by the thread itself and read by anyone;
// pending sets are atomic words that anyone adds to; the actions of a group have a spin
// lock of their own. None of these functions sleeps, so posting works from any context.
#pragma once

#include "kernel/abi/signal.h"
#include "kernel/base/ref.h"
#include "kernel/sched/thread.h"

struct Process;

// A set of signals, signal n at bit n - 1.
using SignalSet = uint64_t;
constexpr SignalSet signal_bit(int signal) { return 1ull << (signal - 1); }
inline constexpr SignalSet kUnblockable = signal_bit(SIGKILL) | signal_bit(SIGSTOP);
inline constexpr SignalSet kStopSignals = signal_bit(SIGSTOP) | signal_bit(SIGTSTP) |
                                          signal_bit(SIGTTIN) | signal_bit(SIGTTOU);
inline constexpr SignalSet kIgnoredByDefault = signal_bit(SIGCHLD) | signal_bit(SIGURG) |
                                               signal_bit(SIGWINCH) | signal_bit(SIGCONT);
// What an instruction of the thread itself causes.
inline constexpr SignalSet kFaultSignals = signal_bit(SIGSEGV) | signal_bit(SIGBUS) |
                                           signal_bit(SIGILL) | signal_bit(SIGTRAP) |
                                           signal_bit(SIGFPE) | signal_bit(SIGSYS);

// Results of an interrupted system call, turned by signal_deliver into a restart of the call
// or EINTR (Linux include/linux/errno.h). kERESTARTSYS (kernel/base/types.h): restarts when
// no handler ran or all that ran have SA_RESTART.
inline constexpr int kERESTARTNOINTR = 513;  // always restarts

enum class DefaultAction : uint8_t { Terminate, CoreDump, Ignore, Stop, Continue };
DefaultAction default_action(int signal);

// Actions of a thread group, apart from the Process because CLONE_SIGHAND shares them and
// because they are large. Counted references. All SIG_DFL at first.
class SignalActions {
  public:
    Result<SignalActions*> clone();  // fork
    void ref() { references_.fetch_add(1, std::memory_order_relaxed); }
    void unref();
    bool shared() const { return references_.load(std::memory_order_relaxed) > 1; }

    abi::SigAction get(int signal);
    // Returns the action that was in force.
    abi::SigAction set(int signal, const abi::SigAction& action);
    void reset_handlers();  // exec: what has a handler becomes SIG_DFL
    // Would the signal be dropped on delivery: SIG_IGN, or SIG_DFL that does nothing? One
    // load. SIGCONT counts as ignored: what it does happens when it is sent.
    bool ignores(int signal) const {
        return (ignored_.load(std::memory_order_relaxed) & signal_bit(signal)) != 0;
    }

  private:
    abi::SigAction actions_[kSignalCount] = {};  // of signal n at n - 1
    std::atomic<SignalSet> ignored_{kIgnoredByDefault};
    std::atomic<uint32_t> references_{1};
    SpinLock lock_{LockRank::Signal};
};

// Who sent a signal, and why: si_pid, si_code, and si_status of a child's SIGCHLD.
struct SignalSource {
    int32_t process = 0;
    int16_t code = SI_KERNEL, status = 0;
};

// What the group as a whole has: its actions and its own pending set, beside each thread's.
struct SignalGroup {
    Ref<SignalActions> actions;
    std::atomic<SignalSet> pending{0};
    // The latest of each signal, whoever of the group it was for: a set remembers no more.
    std::atomic<SignalSource> sources[kSignalCount] = {};
};
// What a handler or rt_sigtimedwait(2) of the calling thread learns about a signal taken.
siginfo_t signal_info(Thread& thread, const SignalGroup& group, int signal);

// struct stack_t of the Linux ABI.
struct SignalStack {
    VirtAddr address = 0;
    uint32_t flags = SS_DISABLE;
    uint32_t padding = 0;
    uint64_t size = 0;
    bool contains(VirtAddr rsp) const { return rsp > address && rsp - address <= size; }
};

// ---- Lab 6, pending.cc: state in Thread::signal_lab ----

// `creator`: whose mask is inherited; nullptr for the first thread of all. Nothing pending,
// no alternate stack.
void signal_init_thread(Thread& thread, const Thread* creator);
void signal_destroy_thread(Thread& thread);
SignalSet signal_mask(const Thread& thread);
// kUnblockable is left out. Of the calling thread, which gets kAttentionSignal when the new
// mask lets a pending signal through.
void signal_set_mask(Thread& thread, const SignalGroup& group, SignalSet mask);
// The same until the next return to user mode, where signal_deliver puts the old mask back
// (sigsuspend, ppoll, pselect).
void signal_set_temporary_mask(Thread& thread, const SignalGroup& group, SignalSet mask);
// End of the temporary mask; nothing when there is none.
void signal_restore_mask(Thread& thread);
SignalStack& signal_stack(Thread& thread);
// Adds `signal` to the thread's / the group's set unless it would be ignored; one that is
// blocked (for the group: by its target, `blocked`) is kept in any case. Returns whether it
// was added, so that the target is to be notified. Any context.
bool signal_post_thread(Thread& thread, SignalGroup& group, int signal);
bool signal_post_group(SignalGroup& group, int signal, bool blocked);
// Signals that the calling thread waits for while they are blocked (rt_sigtimedwait): it is
// to be notified of them, and takes them itself.
void signal_await(Thread& thread, SignalSet set);
// Does the thread let the signal through or wait for it?
bool signal_accepts(const Thread& thread, int signal);
// Takes all of `set` out of the thread's pending set (an action became "ignore").
void signal_discard(Thread& thread, SignalSet set);
// Is an unblocked signal pending for the thread? One load each, callable without locks.
bool signal_deliverable(const Thread& thread, const SignalGroup& group);
SignalSet signal_pending_set(const Thread& thread, const SignalGroup& group);
// Takes the next pending signal of `wanted` out of the sets (synchronous faults first, then
// the lowest number); 0: none.
int signal_take(Thread& thread, SignalGroup& group, SignalSet wanted);

// The registers of an interrupted context in the order of abi::SignalContext.
inline constexpr uint64_t TrapFrame::*kContextOrder[] = {
    &TrapFrame::r8,  &TrapFrame::r9,  &TrapFrame::r10, &TrapFrame::r11, &TrapFrame::r12,
    &TrapFrame::r13, &TrapFrame::r14, &TrapFrame::r15, &TrapFrame::rdi, &TrapFrame::rsi,
    &TrapFrame::rbp, &TrapFrame::rbx, &TrapFrame::rdx, &TrapFrame::rax, &TrapFrame::rcx,
    &TrapFrame::rsp, &TrapFrame::rip, &TrapFrame::rflags};

// ---- Lab 6, deliver.cc ----

// Runs with interrupts on, on the way back to user mode, in the thread itself. Takes
// deliverable signals until none is left or one ends or stops the process by default: that
// one is returned for the task layer to carry out (and to call again after a stop), else 0.
// Turns an interrupted system call in `frame` into a restart or EINTR, and ends a temporary
// mask.
int signal_deliver(Thread& thread, SignalGroup& group, TrapFrame& frame);

// For the units, kernel/task/signals.cc: the group of a user thread; a fault of the running
// thread that its own action caused, with its si_code and si_addr.
SignalGroup& signal_group(Thread& thread);
void signal_fault(int signal, int code, VirtAddr address);

// ---- Lab 6, sigreturn.cc ----

// rt_sigreturn(2): restores the context of the signal frame on the user's stack. Returns
// what RAX shall be.
Result<uint64_t> signal_return(Thread& thread, TrapFrame& frame);
