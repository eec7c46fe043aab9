// The C++ side of interrupts and exceptions: one table of handlers, the rules that hold for
// all of them, and the end of every trap from user mode.
//
// Interrupts are off from the entry to the return, except where an exception handler turns
// them on for itself (a page fault that reads a file); the core turns them off again.
// Exceptions in kernel mode are bugs unless a fix-up says otherwise (user copies); only
// those that can be legitimate there reach their handler: #PF (user memory), NMI, #DB, #BP.
#include "kernel/arch/traps.h"

#include "kernel/arch/apic.h"
#include "kernel/arch/panic.h"
#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/base/runtime.h"

namespace {

TrapHandler handlers[256];

bool legitimate_in_kernel(uint64_t vector) {
    return vector == kVectorPageFault || vector == kVectorNmi || vector == kVectorDebug ||
           vector == kVectorBreakpoint;
}

void handle_exception(TrapFrame& frame) {
    TrapHandler handler = handlers[frame.vector];
    bool reaches_handler = frame.from_user() || legitimate_in_kernel(frame.vector);
    if (reaches_handler && handler != nullptr) return handler(frame);
    uint64_t resume = frame.from_user() ? 0 : find_fixup(frame.rip);
    if (resume == 0) panic_trap(frame, nullptr);
    frame.rip = resume;
}

void handle_interrupt(TrapFrame& frame) {
    Cpu& cpu = this_cpu();
    cpu.interrupt_depth++;
    TrapHandler handler = handlers[frame.vector];
    if (handler != nullptr) handler(frame);
    else if (frame.vector != kVectorSpurious)
        log_warning("interrupt %lu has no handler", frame.vector);
    // A spurious interrupt is not in service: an EOI would end another one (Intel SDM
    // vol. 3, 10.9).
    if (frame.vector != kVectorSpurious) apic_eoi();
    cpu.interrupt_depth--;
}

// Thread::attention by its fixed offset: threads belong to a higher layer.
bool needs_attention() {
    char* thread = reinterpret_cast<char*>(current_thread());
    auto* attention = reinterpret_cast<std::atomic<uint32_t>*>(thread + THREAD_ATTENTION);
    return attention->load(std::memory_order_relaxed) != 0;
}

}  // namespace

extern "C" const Fixup fixups_start[], fixups_end[];

void set_trap_handler(uint8_t vector, TrapHandler handler) { handlers[vector] = handler; }

extern "C" void trap_dispatch(TrapFrame* frame) {
    if (frame->vector >= kVectorIrqBase) {
        handle_interrupt(*frame);
    } else {
        handle_exception(*frame);
        x86::cli();
    }
    if (frame->from_user()) user_return_work(frame);
}

extern "C" void user_return_work(TrapFrame* frame) {
    while (needs_attention()) task_return_to_user(*frame);
}

// NMI, #MC, #DF and #DB in the kernel, on their own stacks (trap_entry.S). An NMI that
// nobody asked for is ignored: it may come from a host's "inject NMI" and has no cause that
// we could read. It cannot be logged either, it may have interrupted the log.
extern "C" void trap_dispatch_paranoid(TrapFrame* frame) {
    if (frame->vector == kVectorNmi && panic_stops_this_cpu()) {
        for (;;) x86::hlt();
    }
    TrapHandler handler = handlers[frame->vector];
    if (handler != nullptr && legitimate_in_kernel(frame->vector)) return handler(*frame);
    if (frame->vector != kVectorNmi) panic_trap(*frame, nullptr);
}

// IRETQ to user mode faulted in ring 0. `nested` describes that fault; its RSP points at the
// five words that IRETQ refused, and its registers are the user's, restored already. Builds
// the frame that user mode would have caused right below those five words, which is where
// the thread's user frame always lies.
extern "C" TrapFrame* trap_fix_bad_iret(TrapFrame* nested) {
    constexpr size_t kBelowRip = offsetof(TrapFrame, rip);
    auto* fixed = reinterpret_cast<TrapFrame*>(nested->rsp - kBelowRip);
    memmove(fixed, nested, kBelowRip);
    return fixed;
}

uint64_t find_fixup(uint64_t rip) {
    for (const Fixup* fixup = fixups_start; fixup < fixups_end; fixup++)
        if (fixup->fault_rip == rip) return fixup->resume_rip;
    return 0;
}
