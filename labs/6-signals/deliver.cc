// Lab 6: delivery on the way back to user mode.
//
// The starter knows default actions and ignoring. A signal that has a handler is taken and
// dropped: the handler is stored, never called, but an interrupted system call ends as it
// would after the handler (EINTR, or a restart with SA_RESTART). A fault cannot be dropped,
// its instruction would fault again for ever: it takes the default action.
//
// How a call restarts: the frame of an interrupted call has the negative restart code in
// RAX, the call's number in `error`, and RIP right behind the two bytes of SYSCALL. Stepping
// RIP back and putting the number back into RAX makes the user execute the call again with
// its arguments, which the kernel left as they were.
//
// Handout: handouts/6-signals.md. Contracts: kernel/signal/signal.h.
#include "kernel/signal/signal.h"

namespace {

constexpr uint64_t kSyscallInstructionSize = 2;  // 0f 05

// `handled`: a handler was (to be) run; `restart`: all of those have SA_RESTART.
void finish_interrupted_call(Thread& thread, TrapFrame& frame, bool handled, bool restart) {
    if (handled) thread.restart_deadline_ns = 0;  // the sleeps of a handler are new ones
    if (frame.vector != kSyscallVector) return;
    auto result = static_cast<int64_t>(frame.rax);
    if (result != -kERESTARTSYS && result != -kERESTARTNOINTR && result != -kERESTARTNOHAND)
        return;
    bool again = !handled || result == -kERESTARTNOINTR ||
                 (result == -kERESTARTSYS && restart);
    if (again) {
        frame.rip -= kSyscallInstructionSize;
        frame.rax = frame.error;
    } else {
        frame.rax = static_cast<uint64_t>(-EINTR);
    }
}

}  // namespace

int signal_deliver(Thread& thread, SignalGroup& group, TrapFrame& frame) {
    bool handled = false, restart = true;
    while (int signal = signal_take(thread, group, ~signal_mask(thread))) {
        abi::SigAction action = group.actions->get(signal);
        if (action.handler == abi::kSigIgnore) continue;
        if (action.handler == abi::kSigDefault || (signal_bit(signal) & kFaultSignals) != 0) {
            DefaultAction by_default = default_action(signal);
            if (by_default == DefaultAction::Ignore) continue;
            if (by_default == DefaultAction::Continue) continue;
            return signal;  // how the call ends shows after a stop
        }
        handled = true;
        if ((action.flags & SA_RESTART) == 0) restart = false;
    }
    finish_interrupted_call(thread, frame, handled, restart);
    signal_restore_mask(thread);
    return 0;
}
