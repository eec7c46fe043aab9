// Lab 6: the way back from a handler.
//
// The signal frame lies in user memory: the program may have changed all of it, and nothing
// in it is trusted. Segments are the usual ones whatever it says, of the flags only those
// that user code may change anyway, the FPU area is made loadable. RIP may be anything: a
// non-canonical one faults in IRETQ, which the trap core turns into the program's own fault.
//
// The context must be left through trap_return, which loads every register: the system call
// exit keeps the callee-saved ones. Attention leads there, and at the same time to signals
// that the restored mask lets through.
//
// Handout: handouts/6-signals.md. Contract: kernel/signal/signal.h.
#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/signal/signal.h"

namespace {

// CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC (Intel SDM vol. 1, 3.4.3). Not IF, IOPL, NT.
constexpr uint64_t kUserFlags = 0x50dd5 & ~0x200ull;
constexpr uint64_t kFixedFlags = 0x202;  // bit 1 always, IF

Result<void> restore_fpu(Thread& thread, VirtAddr address) {
    alignas(64) unsigned char area[1024];  // not thread.fpu: the copy may sleep
    ASSERT(cpu_features.xsave_size <= sizeof area);
    TRY(copy_from_user(area, address, cpu_features.xsave_size));
    fpu_save(thread.fpu);  // for its MXCSR mask; the registers are replaced anyway
    fpu_make_loadable(area, thread.fpu);
    fpu_restore(area);
    return {};
}

void restore_registers(TrapFrame& frame, const abi::SignalContext& context) {
#pragma GCC unroll 18
    for (size_t i = 0; i < std::size(kContextOrder); i++)
        frame.*kContextOrder[i] = context.registers[i];
    frame.rflags = (frame.rflags & kUserFlags) | kFixedFlags;
    frame.cs = USER_CS | 3;
    frame.ss = USER_DS | 3;
    frame.vector = 0;  // no system call that could restart
    frame.error = 0;
}

}  // namespace

Result<uint64_t> signal_return(Thread& thread, TrapFrame& frame) {
    // The handler's RET took the return address off.
    abi::UserContext user;
    if (copy_from_user(&user, frame.rsp, sizeof user).ok()) {
        VirtAddr fpu = user.context.fpu_state;
        if (fpu == 0 || restore_fpu(thread, fpu).ok()) {
            restore_registers(frame, user.context);
            signal_set_mask(thread, signal_group(thread), user.mask);
            thread.set_attention(kAttentionSignal);
            return frame.rax;
        }
    }
    // As Linux does: a frame that cannot be read is the program's fault.
    signal_fault(SIGSEGV, SI_KERNEL, frame.rsp);
    return frame.rax;
}
