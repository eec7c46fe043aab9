// The page-fault exception (Intel SDM vol. 3, 4.7 and 6.15, interrupt 14).
//
// Faults that are not a kernel bug come from user mode, or from the instructions of
// user_copy.S, which are in the fix-up table, on an address in user space. Anything else
// (a null pointer of the kernel, SMAP, SMEP, a reserved bit in an entry) panics.
#include "kernel/arch/panic.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/x86.h"
#include "kernel/base/assert.h"
#include "kernel/metrics/counters.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/user_access.h"

namespace {

// Bits of the error code
constexpr uint64_t kErrorWrite = 1 << 1;
constexpr uint64_t kErrorReserved = 1 << 3;
constexpr uint64_t kErrorFetch = 1 << 4;

void (*deliver_fault)(TrapFrame& frame, VirtAddr address, FaultError error);

Access access_of(uint64_t error) {
    if ((error & kErrorFetch) != 0) return Access::Execute;
    return (error & kErrorWrite) != 0 ? Access::Write : Access::Read;
}

// Why this fault cannot happen in a right kernel; nullptr when it can.
const char* kernel_bug(const TrapFrame& frame, VirtAddr address) {
    if ((frame.error & kErrorReserved) != 0) return "a reserved bit is set in a page table";
    if (frame.from_user()) return nullptr;
    if (address >= kUserTop) return "the kernel used an unmapped kernel address";
    if ((frame.error & kErrorFetch) != 0) return "the kernel jumped into user memory";
    if (find_fixup(frame.rip) != 0) return nullptr;
    return "the kernel used a user address outside user_copy.S";
}

FaultError resolve(TrapFrame& frame, VirtAddr address, bool interrupts_were_on) {
    AddressSpace* space = current_space();
    if (space == nullptr || address >= kUserTop) return FaultError::NoRegion;
    // The lock may be held by a thread that waits for this CPU to answer a shootdown.
    if (interrupts_were_on) x86::sti();
    FaultError error = space->handle_fault(address, access_of(frame.error));
    x86::cli();
    return error;
}

void handle_page_fault(TrapFrame& frame) {
    // First of all: the next fault, of an interrupt handler or another thread, overwrites it.
    VirtAddr address = x86::read_cr2();
    count_event(Event::PageFaults);
    ++current_thread()->used.page_faults;
    if (const char* bug = kernel_bug(frame, address)) [[unlikely]] panic_trap(frame, bug);
    FaultError error = resolve(frame, address, (frame.rflags & x86::kFlagsIf) != 0);
    if (error == FaultError::None) return;
    if (frame.from_user()) deliver_fault(frame, address, error);
    else frame.rip = find_fixup(frame.rip);
}

}  // namespace

void page_fault_init(void (*deliver)(TrapFrame&, VirtAddr, FaultError)) {
    deliver_fault = deliver;
    user_access_init();
    set_trap_handler(kVectorPageFault, handle_page_fault);
}
