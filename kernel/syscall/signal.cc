// System calls: signals.
#include "kernel/syscall/calls.h"

namespace {

bool valid_signal(int signal) { return signal >= 1 && signal <= kSignalCount; }

Result<void> check_set_size(uint64_t size) {
    if (size != sizeof(SignalSet)) return Error(EINVAL);
    return {};
}

// An action became "ignore": what is pending of the signal goes (POSIX XSH 2.4.3).
void discard_pending(Process& process, int signal) {
    process.signals.pending.fetch_and(~signal_bit(signal), std::memory_order_relaxed);
    SpinGuard guard(process.lock);
    for (Thread& thread : process.threads) signal_discard(thread, signal_bit(signal));
}

}  // namespace

Result<void> sys_rt_sigaction(int signal, UserIn<abi::SigAction> action,
                              UserOut<abi::SigAction> old, uint64_t set_size) {
    TRY(check_set_size(set_size));
    if (!valid_signal(signal)) return Error(EINVAL);
    Process& process = current_process();
    SignalActions& actions = *process.signals.actions;
    abi::SigAction previous;
    if (action.is_null()) {
        previous = actions.get(signal);
    } else {
        abi::SigAction wanted = TRY(action.read());
        if ((signal_bit(signal) & kUnblockable) != 0) return Error(EINVAL);
        wanted.mask &= ~kUnblockable;
        previous = actions.set(signal, wanted);
        if (actions.ignores(signal)) discard_pending(process, signal);
    }
    return old.is_null() ? Result<void>{} : old.write(previous);
}

Result<void> sys_rt_sigprocmask(int how, UserIn<SignalSet> set, UserOut<SignalSet> old,
                                uint64_t set_size) {
    TRY(check_set_size(set_size));
    Thread& thread = *current_thread();
    Process& process = *thread.process;
    SignalSet previous = signal_mask(thread);
    if (!set.is_null()) {
        SignalSet change = TRY(set.read());
        SignalSet mask;
        switch (how) {
            case SIG_BLOCK: mask = previous | change; break;
            case SIG_UNBLOCK: mask = previous & ~change; break;
            case SIG_SETMASK: mask = change; break;
            default: return Error(EINVAL);
        }
        signal_set_mask(thread, process.signals, mask);
        // Another thread must take what was meant for us and is blocked now.
        if ((process.signals.pending.load(std::memory_order_relaxed) & mask & ~previous) != 0)
            retarget_signals(process);
    }
    return old.is_null() ? Result<void>{} : old.write(previous);
}

Result<void> sys_rt_sigpending(UserOut<SignalSet> set, uint64_t set_size) {
    if (set_size > sizeof(SignalSet)) return Error(EINVAL);
    Thread& thread = *current_thread();
    SignalSet pending = signal_pending_set(thread, thread.process->signals);
    pending &= signal_mask(thread);
    return copy_to_user(set.address(), &pending, set_size);
}

Result<void> sys_rt_sigsuspend(UserIn<SignalSet> mask, uint64_t set_size) {
    TRY(check_set_size(set_size));
    SignalSet wanted = TRY(mask.read());
    Thread& thread = *current_thread();
    signal_set_temporary_mask(thread, thread.process->signals, wanted);
    return sys_pause();
}

Result<uint64_t> sys_rt_sigreturn() {
    Thread& thread = *current_thread();
    return signal_return(thread, *thread.user_frame);
}

Result<void> sys_sigaltstack(UserIn<SignalStack> stack, UserOut<SignalStack> old) {
    constexpr uint32_t kDisable = 2, kAutoDisarm = 1u << 31;
    constexpr uint64_t kMinSize = 2048;  // MINSIGSTKSZ
    SignalStack& current = signal_stack(*current_thread());
    SignalStack previous = current;
    if (!stack.is_null()) {
        SignalStack wanted = TRY(stack.read());
        if ((wanted.flags & ~(kDisable | kAutoDisarm)) != 0) return Error(EINVAL);
        bool enabled = (wanted.flags & kDisable) == 0;
        if (enabled && wanted.size < kMinSize) return Error(ENOMEM);
        if (!enabled) wanted = {};
        current = wanted;
    }
    return old.is_null() ? Result<void>{} : old.write(previous);
}

Result<void> sys_pause() {
    WaitQueue nobody;  // only a signal ends this sleep
    (void)wait_until(nobody, [] { return false; });
    return Error(kERESTARTNOHAND);
}

// ---- Sending ----

namespace {

// kill(2) with a pid that is not positive: a group, or everybody. Under process_tree.
Result<void> broadcast(int32_t pid, int signal) {
    const Process& self = current_process();
    int32_t group = pid == 0 ? self.group : -pid;
    bool found = false;
    for (Process& process : all_processes) {
        bool is_init_or_self = process.pid == 1 || &process == &self;
        if (pid == -1 ? is_init_or_self : process.group != group) continue;
        found = true;
        if (signal != 0) post_signal(process, signal);
    }
    return found ? Result<void>{} : Error(ESRCH);
}

Result<void> signal_one_thread(int32_t pid, int32_t tid, int signal) {
    if (tid <= 0 || signal < 0 || signal > kSignalCount) return Error(EINVAL);
    Result<void> result = Error(ESRCH);
    MutexGuard tree(process_tree);
    with_thread(tid, [&](Thread& thread) {
        if (pid != 0 && thread.process->pid != pid) return;
        result = {};
        if (signal != 0) signal_thread(thread, signal);
    });
    return result;
}

}  // namespace

Result<void> sys_kill(int32_t pid, int signal) {
    if (signal < 0 || signal > kSignalCount) return Error(EINVAL);
    if (pid == INT32_MIN) return Error(ESRCH);
    MutexGuard tree(process_tree);
    if (pid <= 0) return broadcast(pid, signal);
    Process* process = find_process(pid);
    if (process == nullptr) return Error(ESRCH);
    if (signal != 0) post_signal(*process, signal);
    return {};
}

Result<void> sys_tkill(int32_t tid, int signal) { return signal_one_thread(0, tid, signal); }

Result<void> sys_tgkill(int32_t pid, int32_t tid, int signal) {
    if (pid <= 0) return Error(EINVAL);
    return signal_one_thread(pid, tid, signal);
}
