// System calls: signals.
#include "kernel/syscall/calls.h"

namespace {

bool valid_signal(int signal) { return signal >= 1 && signal <= kSignalCount; }

Result<void> check_set_size(uint64_t size) {
    return size == sizeof(SignalSet) ? Result<void>{} : Error(EINVAL);
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
        // What is pending of an ignored signal goes (POSIX XSH 2.4.3).
        SpinGuard guard(process.lock);
        if (actions.ignores(signal)) discard_signals(process, signal_bit(signal));
    }
    return old.is_null() ? Result<void>{} : old.write(previous);
}

Result<void> sys_rt_sigprocmask(int how, UserIn<SignalSet> set, UserOut<SignalSet> old,
                                uint64_t set_size) {
    TRY(check_set_size(set_size));
    Thread& thread = *current_thread();
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
        signal_set_mask(thread, thread.process->signals, mask);
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
    constexpr uint64_t kMinSize = 2048;  // MINSIGSTKSZ
    SignalStack& current = signal_stack(*current_thread());
    SignalStack previous = current;
    bool in_use = current.contains(current_thread()->user_frame->rsp);
    if (in_use) previous.flags = SS_ONSTACK;
    if (!stack.is_null()) {
        SignalStack wanted = TRY(stack.read());
        if (in_use) return Error(EPERM);
        if (wanted.flags > SS_DISABLE) return Error(EINVAL);
        if (wanted.flags != SS_DISABLE && wanted.size < kMinSize) return Error(ENOMEM);
        current = wanted.flags == SS_DISABLE ? SignalStack{} : wanted;
        if (wanted.flags != SS_DISABLE) current.flags = 0;
    }
    return old.is_null() ? Result<void>{} : old.write(previous);
}

Result<int> sys_rt_sigtimedwait(UserIn<SignalSet> set, UserOut<siginfo_t> info,
                                UserIn<TimeSpec> timeout, uint64_t set_size) {
    TRY(check_set_size(set_size));
    SignalSet wanted = TRY(set.read()) & ~kUnblockable;
    uint64_t deadline = kNoDeadline;
    if (!timeout.is_null()) deadline = monotonic_ns() + TRY(to_ns(TRY(timeout.read())));
    Thread& thread = *current_thread();
    SignalGroup& group = thread.process->signals;
    WaitQueue nobody;
    for (;;) {
        signal_await(thread, wanted);
        Result<void> slept = wait_until(
            nobody, [&] { return (signal_pending_set(thread, group) & wanted) != 0; },
            WaitMode::Interruptible, deadline);
        signal_await(thread, 0);
        if (int signal = signal_take(thread, group, wanted)) {
            if (!info.is_null()) TRY(info.write(signal_info(thread, group, signal)));
            return signal;
        }
        if (slept.ok()) continue;  // another thread was faster
        return Error(slept.error().number() == ETIMEDOUT ? EAGAIN : EINTR);
    }
}

Result<void> sys_pause() {
    WaitQueue nobody;  // only a signal ends this sleep
    (void)wait_until(nobody, [] { return false; });
    return Error(kERESTARTNOHAND);
}

// ---- Sending ----

static Result<void> signal_one_thread(int32_t pid, int32_t tid, int signal) {
    if (tid <= 0 || signal < 0 || signal > kSignalCount) return Error(EINVAL);
    Result<void> result = Error(ESRCH);
    RcuReader reader;
    with_thread(tid, [&](Thread& thread) {
        if (pid != 0 && thread.process->pid != pid) return;
        result = {};
        if (signal != 0) signal_thread(thread, signal, {current_process().pid, SI_TKILL});
    });
    return result;
}

Result<void> sys_kill(int32_t pid, int signal) {
    if (signal < 0 || signal > kSignalCount) return Error(EINVAL);
    SignalSource source = {current_process().pid, SI_USER};
    if (pid > 0) {
        RcuReader reader;
        Process* process = find_process(pid);
        if (process == nullptr) return Error(ESRCH);
        if (signal != 0) post_signal(*process, signal, source);
        return {};
    }
    MutexGuard tree(process_tree);
    if (pid == -1) {
        for (Process& process : all_processes) {  // everybody but init and the caller
            if (process.pid == 1 || &process == &current_process()) continue;
            if (signal != 0) post_signal(process, signal, source);
        }
        return {};
    }
    if (pid == INT32_MIN) return Error(ESRCH);
    int32_t group = pid == 0 ? current_process().group : -pid;
    return post_group_signal(group, signal, source) ? Result<void>{} : Error(ESRCH);
}

Result<void> sys_tkill(int32_t tid, int signal) { return signal_one_thread(0, tid, signal); }

Result<void> sys_tgkill(int32_t pid, int32_t tid, int signal) {
    if (pid <= 0) return Error(EINVAL);
    return signal_one_thread(pid, tid, signal);
}
