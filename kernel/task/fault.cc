// Exceptions of user programs become signals, as Linux maps them (Intel SDM vol. 3, 6.15;
// signal(7)). In kernel mode the trap core has panicked before it comes to this.
#include "kernel/task/fault.h"

#include <algorithm>
#include <bit>

#include "kernel/arch/panic.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/task/process.h"

namespace {

bool (*undefined_instruction_hook)(TrapFrame& frame) = nullptr;

// #DB and #BP come here from kernel mode, too: bugs, as nothing sets breakpoints there.
template <int kSignal, int kCode = SI_KERNEL>
void raise(TrapFrame& frame) {
    if (!frame.from_user()) panic_trap(frame, nullptr);
    x86::sti();
    signal_fault(kSignal, kCode, frame, frame.rip);
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
    signal_fault(SIGFPE, code, frame, frame.rip);
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

void page_fault(TrapFrame& frame, VirtAddr address, FaultError error) {
    x86::sti();
    if (error == FaultError::OutOfMemory) {
        if (memory_reclaim() != 0) return;  // tried again
        log_warning("pid %d (%s): out of memory, killed", current_process().pid,
                    current_thread()->name);
        exit_group(SIGKILL);
    }
    if (error == FaultError::PastEnd) return signal_fault(SIGBUS, BUS_ADRERR, frame, address);
    int code = error == FaultError::NoRegion ? SEGV_MAPERR : SEGV_ACCERR;
    signal_fault(SIGSEGV, code, frame, address);
}

}  // namespace

void set_undefined_instruction_hook(bool (*hook)(TrapFrame& frame)) {
    undefined_instruction_hook = hook;
}

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
