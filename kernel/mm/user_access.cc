// User memory, as the kernel sees it: the checked copies (range checks here, the copying and its
// recovery from faults in lab 3's user_copy.S), and the page-fault exception, which makes the
// memory appear (Intel SDM vol. 3, 4.7 and 6.15, interrupt 14).
//
// Faults that are not a kernel bug come from user mode, or from the instructions of
// user_copy.S, which are in the fix-up table, on an address in user space. Anything else
// (a null pointer of the kernel, SMAP, SMEP, a reserved bit in an entry) panics.
#include "kernel/mm/user_access.h"

#include <algorithm>

#include "kernel/arch/panic.h"
#include "kernel/metrics/latency.h"
#include "kernel/mm/address_space.h"

uint8_t user_copy_smap = 0;
uint8_t user_copy_rep = 0;

namespace {

// How much of [address, address + size) lies in user space, from its start on.
size_t user_part(VirtAddr address, size_t size) {
    return address >= kUserTop ? 0 : std::min<size_t>(size, kUserTop - address);
}

Result<void> done_if(bool ok) {
    if (!ok) [[unlikely]] return Error(EFAULT);
    return {};
}

// ---- Page faults ----

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
    LatencyTimer timer(Latency::PageFault);
    ++current_thread()->used.page_faults;
    if (const char* bug = kernel_bug(frame, address)) [[unlikely]] panic_trap(frame, bug);
    FaultError error = resolve(frame, address, (frame.rflags & x86::kFlagsIf) != 0);
    if (error == FaultError::None) return;
    if (frame.from_user()) deliver_fault(frame, address, error);
    else frame.rip = find_fixup(frame.rip);
}

}  // namespace

Result<void> copy_from_user(void* to, VirtAddr from, size_t size) {
    return done_if(is_user_range(from, size) && user_copy_in(to, from, size) == 0);
}

Result<void> copy_to_user(VirtAddr to, const void* from, size_t size) {
    return done_if(is_user_range(to, size) && user_copy_out(to, from, size) == 0);
}

size_t copy_from_user_partial(void* to, VirtAddr from, size_t size) {
    size_t part = user_part(from, size);
    return part == 0 ? 0 : part - user_copy_in(to, from, part);
}

size_t copy_to_user_partial(VirtAddr to, const void* from, size_t size) {
    size_t part = user_part(to, size);
    return part == 0 ? 0 : part - user_copy_out(to, from, part);
}

Result<void> clear_user(VirtAddr to, size_t size) {
    return done_if(is_user_range(to, size) && user_copy_zero(to, size) == 0);
}

Result<size_t> copy_string_from_user(char* to, VirtAddr from, size_t size) {
    size_t part = user_part(from, size);
    if (part == 0) return Error(size == 0 ? ENAMETOOLONG : EFAULT);
    uint8_t faulted = 0;
    size_t copied = user_copy_string(to, from, part, &faulted);
    if (faulted != 0) return Error(EFAULT);
    if (copied != 0 && to[copied - 1] == 0) return copied - 1;
    return Error(part < size ? EFAULT : ENAMETOOLONG);  // ended at the top of user space?
}

void page_fault_init(void (*deliver)(TrapFrame&, VirtAddr, FaultError)) {
    deliver_fault = deliver;
    user_copy_smap = cpu_features.smap;
    set_trap_handler(kVectorPageFault, handle_page_fault);
}
