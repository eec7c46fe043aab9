// Sending signals to processes and threads, carrying out what the signal layer decides on
// the way back to user mode, and exceptions of user programs, which become signals as on
// Linux (Intel SDM vol. 3, 6.15; signal(7)). In kernel mode the trap core has panicked
// before it comes to these.
//
// A signal to a process goes into the group's pending set, and one thread that does not
// block it is told to look. When that thread cannot take it after all (it exits, or blocks
// the signal in that moment) others are told: retarget_signals.
#include <algorithm>
#include <bit>

#include "kernel/arch/panic.h"
#include "kernel/metrics/latency.h"
#include "kernel/task/job_control.h"

bool (*undefined_instruction_hook)(TrapFrame& frame) = nullptr;

namespace {

// Init is spared what would kill it by default; its own faults are not (they come through
// signal_fault), and end in a panic.
bool spares_init(const Process& process, int signal) {
    if (process.pid != 1) return false;
    DefaultAction action = default_action(signal);
    if (action == DefaultAction::Ignore || action == DefaultAction::Continue) return false;
    return process.signals.actions->get(signal).handler == abi::kSigDefault;
}

// What sending `signal`, pending already, does to stopping and going on. After SIGKILL it
// wakes who waits for death, too.
void settle_stop(Process& process, int signal) REQUIRES(process.lock) {
    discard_signals(process, job_control_cancels(signal));
    bool stop = (signal_bit(signal) & kStopSignals) != 0;
    if (!stop && signal != SIGCONT && signal != SIGKILL) return;
    process.stop_wanted = stop;
    if (stop) return;
    process.stopped.store(false);
    wake_all(process.stop_wait);
}

void stop_process(Process& process, int signal) {
    MutexGuard tree(process_tree);
    if (!job_control_stops(process, signal)) return;
    {
        SpinGuard guard(process.lock);
        if (!process.stop_wanted) return;  // SIGCONT came after the signal was taken
        process.stop_signal = static_cast<int16_t>(signal);
        process.stopped.store(true);
        for (Thread& thread : process.threads) {
            if (&thread != current_thread()) notify_attention(thread, kAttentionSignal);
        }
    }
    job_control_report(process);
}

void wait_while_stopped(Thread& thread, Process& process) {
    (void)wait_until(
        process.stop_wait,
        [&] { return !process.stopped.load(std::memory_order_seq_cst) || kill_pending(thread); },
        WaitMode::Uninterruptible);
    MutexGuard tree(process_tree);
    if (!kill_pending(thread)) job_control_report(process);
}

// Tells a thread that lets the signal through, pending for all, or waits for it. Not before
// it is pending: who opens its mask before we look finds it itself.
void notify_taker(Process& process, int signal) REQUIRES(process.lock) {
    for (Thread& thread : process.threads)
        if (signal_accepts(thread, signal)) return notify_attention(thread, kAttentionSignal);
}

// The calling thread may have been chosen for what it does not take any more.
void retarget_signals(Thread& thread, Process& process) {
    SignalSet left = process.signals.pending.load(std::memory_order_acquire) & signal_mask(thread);
    if (left == 0) return;
    SpinGuard guard(process.lock);
    for (; left != 0; left &= left - 1) notify_taker(process, std::countr_zero(left) + 1);
}

int deliver(Thread& thread, Process& process, TrapFrame& frame) {
    LatencyTimer timer(Latency::SignalDelivery);
    return signal_deliver(thread, process.signals, frame);
}

void carry_out_signals(Thread& thread, TrapFrame& frame) {
    Process& process = *thread.process;
    for (;;) {
        int signal = deliver(thread, process, frame);
        if (signal != 0) {
            DefaultAction action = default_action(signal);
            uint32_t core = action == DefaultAction::CoreDump ? kCoreDumped : 0;
            if (core != 0) log_core_message(process, signal, frame);
            if (action != DefaultAction::Stop) exit_group(static_cast<uint32_t>(signal) | core);
            stop_process(process, signal);
        }
        if (signal == 0 && !process.stopped.load(std::memory_order_relaxed))
            return retarget_signals(thread, process);
        // After a stop in any case: that it is over already is still to be reported.
        wait_while_stopped(thread, process);
        if ((thread.attention.load(std::memory_order_relaxed) & kAttentionExit) != 0) return;
    }
}

}  // namespace

void discard_signals(Process& process, SignalSet set) {
    if (set == 0) return;
    process.signals.pending.fetch_and(~set, std::memory_order_relaxed);
    for (Thread& thread : process.threads) signal_discard(thread, set);
}

void post_signal(Process& process, int signal, SignalSource source) {
    SpinGuard guard(process.lock);
    if (process.threads.empty()) return;  // a zombie
    if (spares_init(process, signal)) return;
    process.signals.sources[signal - 1].store(source, std::memory_order_relaxed);
    bool blocked = true;
    for (Thread& thread : process.threads)
        blocked = blocked && (signal_mask(thread) & signal_bit(signal)) != 0;
    if (signal_post_group(process.signals, signal, blocked)) notify_taker(process, signal);
    settle_stop(process, signal);
}

// The lock is held, but callers know it by another name.
void signal_thread(Thread& thread, int signal,
                   SignalSource source) NO_THREAD_SAFETY_ANALYSIS {
    Process& process = *thread.process;
    if (spares_init(process, signal)) return;
    process.signals.sources[signal - 1].store(source, std::memory_order_relaxed);
    if (signal_post_thread(thread, process.signals, signal))
        notify_attention(thread, kAttentionSignal);
    settle_stop(process, signal);
}

bool post_group_signal(int32_t group, int signal, SignalSource source) {
    bool found = false;
    for (Process& process : all_processes) {
        if (process.group != group) continue;
        found = true;
        if (signal != 0) post_signal(process, signal, source);
    }
    return found;
}

void signal_process_group(int32_t group, int signal) {
    MutexGuard guard(process_tree);
    (void)post_group_signal(group, signal);
}

SignalGroup& signal_group(Thread& thread) { return thread.process->signals; }

void signal_fault(int signal, int code, VirtAddr address) {
    Thread& thread = *current_thread();
    Process& process = *thread.process;
    bool blocked = (signal_mask(thread) & signal_bit(signal)) != 0;
    // The instruction would fault again for ever: it cannot be ignored or put off.
    if (blocked || process.signals.actions->get(signal).handler == abi::kSigIgnore) {
        process.signals.actions->set(signal, {});
        signal_set_mask(thread, process.signals, signal_mask(thread) & ~signal_bit(signal));
    }
    thread.fault_code = code;
    thread.fault_address = code == SI_KERNEL ? 0 : address;
    signal_post_thread(thread, process.signals, signal);
    thread.set_attention(kAttentionSignal);
}

bool sleep_interrupted() {
    Thread& thread = *current_thread();
    if (thread.process == nullptr) return false;
    if ((thread.attention.load(std::memory_order_relaxed) & kAttentionExit) != 0) return true;
    if (!signal_deliverable(thread, thread.process->signals)) return false;
    // The group's signal may have been announced to another thread only; the call that ends
    // now relies on passing through signal_deliver.
    thread.set_attention(kAttentionSignal);
    return true;
}

bool kill_pending(Thread& thread) {
    if ((thread.attention.load(std::memory_order_relaxed) & kAttentionExit) != 0) return true;
    return (signal_pending_set(thread, thread.process->signals) & signal_bit(SIGKILL)) != 0;
}

void task_return_to_user(TrapFrame& frame) {
    x86::sti();
    Thread& thread = *current_thread();
    uint32_t attention = thread.attention.load(std::memory_order_acquire);
    if ((attention & kAttentionExit) != 0) exit_thread();
    if ((attention & kAttentionReschedule) != 0) maybe_yield();
    if ((attention & kAttentionSignal) != 0) {
        thread.clear_attention(kAttentionSignal);
        carry_out_signals(thread, frame);
    }
    x86::cli();
}

// ---- Exceptions ----

namespace {

// #DB and #BP come here from kernel mode, too: bugs, as nothing sets breakpoints there.
template <int kSignal, int kCode = SI_KERNEL>
void raise(TrapFrame& frame) {
    if (!frame.from_user()) panic_trap(frame, nullptr);
    x86::sti();
    signal_fault(kSignal, kCode, frame.rip);
}

// What the exception flags of the x87 or SSE unit say, those that are unmasked (Intel SDM
// vol. 1, 8.1.3, 10.2.3).
void float_exception(TrapFrame& frame) {
    uint16_t status, control;
    uint32_t mxcsr;
    asm volatile("fnstsw %0; fnstcw %1; stmxcsr %2" : "=m"(status), "=m"(control), "=m"(mxcsr));
    uint32_t x87 = status & ~control, sse = mxcsr & ~(mxcsr >> 7);
    uint32_t flags = frame.vector == kVectorFpu ? x87 : sse;
    constexpr int kCodes[] = {FPE_FLTINV, FPE_FLTUND, FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES};
    int code = kCodes[std::min(std::countr_zero(flags), 5)];
    x86::sti();
    signal_fault(SIGFPE, code, frame.rip);
}

// A single step whose own TF is clear began with a SYSCALL that a program stepped into: Bochs
// reports it behind the instruction, although SFMASK has cleared TF by then. It is over; the
// program's own trap comes when it has its flags back.
void debug(TrapFrame& frame) {
    constexpr uint64_t kFlagTf = 1 << 8;
    if (!frame.from_user() && (frame.rflags & kFlagTf) == 0) return;
    raise<SIGTRAP, TRAP_TRACE>(frame);
}

void undefined_instruction(TrapFrame& frame) {
    if (undefined_instruction_hook != nullptr && undefined_instruction_hook(frame)) return;
    raise<SIGILL, ILL_ILLOPN>(frame);
}

void page_fault(TrapFrame&, VirtAddr address, FaultError error) {
    x86::sti();
    if (error == FaultError::OutOfMemory) {
        if (memory_reclaim() != 0) return;  // tried again
        log_warning("pid %d (%s): out of memory, killed", current_process().pid,
                    current_thread()->name);
        exit_group(SIGKILL);
    }
    if (error == FaultError::PastEnd) return signal_fault(SIGBUS, BUS_ADRERR, address);
    int code = error == FaultError::NoRegion ? SEGV_MAPERR : SEGV_ACCERR;
    signal_fault(SIGSEGV, code, address);
}

}  // namespace

void fault_init() {
    set_trap_handler(kVectorDivide, raise<SIGFPE, FPE_INTDIV>);
    set_trap_handler(kVectorDebug, debug);
    set_trap_handler(kVectorBreakpoint, raise<SIGTRAP>);
    set_trap_handler(kVectorOverflow, raise<SIGSEGV>);
    set_trap_handler(kVectorBound, raise<SIGSEGV>);
    set_trap_handler(kVectorInvalidOpcode, undefined_instruction);
    set_trap_handler(kVectorSegmentNotPresent, raise<SIGBUS>);
    set_trap_handler(kVectorStackFault, raise<SIGBUS>);
    set_trap_handler(kVectorGeneralProtection, raise<SIGSEGV>);
    set_trap_handler(kVectorFpu, float_exception);
    set_trap_handler(kVectorAlignment, raise<SIGBUS, BUS_ADRALN>);
    set_trap_handler(kVectorSimd, float_exception);
    page_fault_init(page_fault);
}
