// Signal actions and what signals do by default (POSIX XBD <signal.h>).
#include <algorithm>

#include "kernel/mm/slab.h"
#include "kernel/signal/signal.h"

static constexpr SignalSet kDumpCore = kFaultSignals | signal_bit(SIGQUIT) | signal_bit(SIGABRT) |
                                       signal_bit(SIGXCPU) | signal_bit(SIGXFSZ);

DefaultAction default_action(int signal) {
    SignalSet bit = signal_bit(signal);
    if (signal == SIGCONT) return DefaultAction::Continue;
    if ((bit & kIgnoredByDefault) != 0) return DefaultAction::Ignore;
    if ((bit & kStopSignals) != 0) return DefaultAction::Stop;
    return (bit & kDumpCore) != 0 ? DefaultAction::CoreDump : DefaultAction::Terminate;
}

siginfo_t signal_info(Thread& thread, const SignalGroup& group, int signal) {
    SignalSource source = group.sources[signal - 1].load(std::memory_order_relaxed);
    siginfo_t info = {};
    info.si_signo = signal;
    info.si_code = source.code;
    info.si_pid = source.process;
    info.si_status = source.status;
    if ((signal_bit(signal) & kFaultSignals) != 0 && thread.fault_code != 0) {
        info.si_code = std::exchange(thread.fault_code, 0);
        info.si_addr = reinterpret_cast<void*>(thread.fault_address);
    }
    return info;
}

Result<SignalActions*> SignalActions::clone() {
    auto* copy = TRY(make<SignalActions>());
    SpinGuard guard(lock_);
    std::copy(std::begin(actions_), std::end(actions_), copy->actions_);
    copy->ignored_.store(ignored_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    return copy;
}

void SignalActions::unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(this);
}

abi::SigAction SignalActions::get(int signal) {
    SpinGuard guard(lock_);
    return actions_[signal - 1];
}

abi::SigAction SignalActions::set(int signal, const abi::SigAction& action) {
    SpinGuard guard(lock_);
    abi::SigAction old = std::exchange(actions_[signal - 1], action);
    SignalSet bit = signal_bit(signal);
    bool ignore = action.handler == abi::kSigIgnore ||
                  (action.handler == abi::kSigDefault && (bit & kIgnoredByDefault) != 0);
    SignalSet ignored = ignored_.load(std::memory_order_relaxed);
    ignored_.store(ignore ? ignored | bit : ignored & ~bit, std::memory_order_relaxed);
    return old;
}

void SignalActions::reset_handlers() {
    SpinGuard guard(lock_);
    SignalSet ignored = kIgnoredByDefault;
    for (int i = 0; i < kSignalCount; i++) {
        bool ignore = actions_[i].handler == abi::kSigIgnore;
        if (ignore) ignored |= signal_bit(i + 1);
        actions_[i] = {ignore ? abi::kSigIgnore : abi::kSigDefault, 0, 0, 0};
    }
    ignored_.store(ignored, std::memory_order_relaxed);
}
