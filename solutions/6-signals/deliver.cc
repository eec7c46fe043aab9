// Lab 6: delivery on the way back to user mode.
//
// To call a handler, the kernel saves the interrupted context on the user's stack (or on the
// alternate one) and changes the trap frame so that user mode goes on in the handler, whose
// return address leads to rt_sigreturn (sigreturn.cc). All deliverable signals are taken in
// one pass: each further frame interrupts the handler before it, at its first instruction,
// so the last one taken runs first.
//
// The red zone: the 128 bytes below RSP belong to the interrupted function (System V ABI,
// 3.2.2), so the frame goes below them; not on an alternate stack.
//
// How a call restarts: the frame of an interrupted call has the negative restart code in
// RAX, the call's number in `error`, and RIP right behind the two bytes of SYSCALL. Stepping
// RIP back and putting the number back into RAX makes the user execute the call again with
// its arguments, which the kernel left as they were. It must be decided before the frame of
// the first handler is written, which is what is returned to.
//
// Handout: handouts/6-signals.md. Contracts: kernel/signal/signal.h.
#include <cstring>

#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/signal/signal.h"

namespace {

constexpr uint64_t kSyscallInstructionSize = 2;  // 0f 05
constexpr uint64_t kRedZone = 128;
constexpr uint64_t kFpuAlign = 64;
constexpr uint64_t kFlagsTf = 1 << 8, kFlagsDf = 1 << 10, kFlagsRf = 1 << 16;

void finish_interrupted_call(Thread& thread, TrapFrame& frame, const abi::SigAction* handler) {
    if (handler != nullptr) thread.restart_deadline_ns = 0;  // the sleeps of a handler are new ones
    if (frame.vector != kSyscallVector) return;
    auto result = static_cast<int64_t>(frame.rax);
    if (result != -kERESTARTSYS && result != -kERESTARTNOINTR && result != -kERESTARTNOHAND)
        return;
    bool restart = handler != nullptr && (handler->flags & SA_RESTART) != 0;
    if (handler == nullptr || result == -kERESTARTNOINTR ||
        (result == -kERESTARTSYS && restart)) {
        frame.rip -= kSyscallInstructionSize;
        frame.rax = frame.error;
    } else {
        frame.rax = static_cast<uint64_t>(-EINTR);
    }
    frame.vector = 0;  // decided, once
}

// XSAVE of `size` bytes into user memory, and kFpXstateMagic2 behind them. False when a
// fault there cannot be resolved.
bool xsave_to_user(VirtAddr address, uint64_t size) {
    int failed = 1;
    if (user_copy_smap != 0) asm volatile("stac" ::: "memory");
    asm volatile(
        "1: movl %[magic], (%[area], %[size])\n"
        "2: xsave64 (%[area])\n"
        "xorl %[failed], %[failed]\n"
        "3: .pushsection .fixups, \"a\"; .quad 1b, 3b, 2b, 3b; .popsection"
        : [failed] "+r"(failed)
        : [area] "r"(address), [size] "r"(size), [magic] "i"(abi::kFpXstateMagic2), "a"(~0u),
          "d"(~0u)
        : "memory", "cc");
    if (user_copy_smap != 0) asm volatile("clac" ::: "memory");
    return failed == 0;
}

// Saves the FPU registers at `address` with the marks that tell unwinders its size: one in
// bytes that XSAVE leaves to software, before its header, of which it writes no more than
// the first word; one behind all.
Result<void> save_fpu(Thread& thread, VirtAddr address) {
    uint32_t size = cpu_features.xsave_size;
    if (fpu_use_xsave == 0) {
        InterruptsOff off;
        fpu_save(thread.fpu);
        return copy_to_user(address, thread.fpu, size);
    }
    struct {
        uint64_t reserved[2];
        uint32_t magic, extended_size;
        uint64_t features;
        uint32_t size, padding[7];
        uint64_t header[8];
    } middle = {{}, abi::kFpXstateMagic1, size + 4, cpu_features.xcr0, size, {}, {}};
    constexpr uint64_t kMiddle = 448;
    if (!is_user_range(address, size + 4)) return Error(EFAULT);
    TRY(copy_to_user(address + kMiddle, &middle, sizeof middle));
    return xsave_to_user(address, size) ? Result<void>{} : Error(EFAULT);
}

abi::UserContext context_of(const TrapFrame& frame, const Thread& thread,
                            const SignalStack& stack, VirtAddr fpu, SignalSet mask) {
    abi::UserContext user;
    user.flags = fpu_use_xsave != 0 ? abi::kUcFpXstate : 0;
    user.stack_address = stack.address;
    user.stack_flags = stack.flags;
    user.stack_size = stack.size;
#pragma GCC unroll 18
    for (size_t i = 0; i < std::size(kContextOrder); i++)
        user.context.registers[i] = frame.*kContextOrder[i];
    user.context.cs = static_cast<uint16_t>(frame.cs);
    user.context.ss = static_cast<uint16_t>(frame.ss);
    user.context.error = frame.error;
    user.context.trap = frame.vector;
    user.context.old_mask = mask;
    user.context.cr2 = thread.fault_address;
    user.context.fpu_state = fpu;
    user.mask = mask;
    return user;
}

Result<void> call_handler(Thread& thread, TrapFrame& frame, int signal,
                          const abi::SigAction& action, SignalSet old_mask) {
    SignalStack& stack = signal_stack(thread);
    VirtAddr rsp = frame.rsp - kRedZone;
    if ((action.flags & SA_ONSTACK) != 0 && stack.size != 0 && !stack.contains(frame.rsp))
        rsp = stack.address + stack.size;
    VirtAddr fpu = round_down(rsp - cpu_features.xsave_size - 4, kFpuAlign);
    // At the handler's first instruction RSP is 8 below a multiple of 16, as after a CALL.
    VirtAddr top = round_down(fpu - sizeof(abi::SignalFrame), 16) - 8;

    abi::SignalFrame saved = {action.restorer, context_of(frame, thread, stack, fpu, old_mask),
                              signal_info(thread, signal_group(thread), signal)};
    TRY(save_fpu(thread, fpu));
    TRY(copy_to_user(top, &saved, sizeof saved));

    frame.rip = action.handler;
    frame.rsp = top;
    frame.rdi = static_cast<uint64_t>(signal);
    frame.rsi = top + offsetof(abi::SignalFrame, info);
    frame.rdx = top + offsetof(abi::SignalFrame, user);
    frame.rax = 0;
    frame.rflags &= ~(kFlagsTf | kFlagsDf | kFlagsRf);
    frame.vector = 0;
    return {};
}

}  // namespace

int signal_deliver(Thread& thread, SignalGroup& group, TrapFrame& frame) {
    while (int signal = signal_take(thread, group, ~signal_mask(thread))) {
        abi::SigAction action = group.actions->get(signal);
        if (action.handler == abi::kSigIgnore) continue;
        if (action.handler == abi::kSigDefault) {
            DefaultAction by_default = default_action(signal);
            if (by_default == DefaultAction::Ignore) continue;
            if (by_default == DefaultAction::Continue) continue;
            return signal;  // how the call ends shows after the stop
        }
        finish_interrupted_call(thread, frame, &action);
        // A sigsuspend's mask is in force in the handler, too; what rt_sigreturn restores is
        // the one from before.
        SignalSet mask = signal_mask(thread);
        signal_restore_mask(thread);
        SignalSet old_mask = signal_mask(thread);
        if (!call_handler(thread, frame, signal, action, old_mask).ok()) return SIGSEGV;
        if ((action.flags & SA_RESETHAND) != 0) group.actions->set(signal, {});
        SignalSet blocked = action.mask;
        if ((action.flags & SA_NODEFER) == 0) blocked |= signal_bit(signal);
        signal_set_mask(thread, group, mask | blocked);
    }
    finish_interrupted_call(thread, frame, nullptr);
    signal_restore_mask(thread);
    return 0;
}
