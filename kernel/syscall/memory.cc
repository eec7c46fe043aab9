// System calls: the address space. The work is AddressSpace's (kernel/mm).
#include "kernel/abi/mman.h"
#include "kernel/syscall/calls.h"

namespace {

constexpr uint32_t kProtectionKnown = PROT_READ | PROT_WRITE | PROT_EXEC;
constexpr uint32_t kMapKnown = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS |
                               MAP_GROWSDOWN | MAP_POPULATE | MAP_FIXED_NOREPLACE;

uint8_t to_protection(uint32_t protection) {
    static_assert(PROT_READ == kProtRead && PROT_WRITE == kProtWrite &&
                  PROT_EXEC == kProtExecute);
    return static_cast<uint8_t>(protection & kProtectionKnown);
}

AddressSpace& space() { return *current_process().space; }

}  // namespace

Result<VirtAddr> sys_mmap(VirtAddr address, uint64_t size, uint32_t protection, uint32_t flags,
                          int fd, uint64_t offset) {
    if ((flags & MAP_HUGETLB) != 0) return Error(ENOMEM);
    uint32_t known = flags & kMapKnown;
    if ((flags & MAP_ANONYMOUS) != 0)
        return space().map(address, size, to_protection(protection), known, nullptr, 0);

    FileRef file = TRY(current_process().files->get(fd));
    if (!file->readable()) return Error(EACCES);
    bool shared = (flags & MAP_SHARED) != 0;
    if (shared && !file->writable()) {
        if ((protection & PROT_WRITE) != 0) return Error(EACCES);
        known |= kMapNeverWrite;
    }
    PageSource* source = file->page_source();
    if (source == nullptr) return Error(ENODEV);
    return space().map(address, size, to_protection(protection), known, source, offset);
}

Result<void> sys_munmap(VirtAddr address, uint64_t size) {
    return space().unmap(address, size);
}

Result<void> sys_mprotect(VirtAddr address, uint64_t size, uint32_t protection) {
    if ((protection & ~kProtectionKnown) != 0) return Error(EINVAL);
    return space().protect(address, size, to_protection(protection));
}

Result<VirtAddr> sys_mremap(VirtAddr address, uint64_t old_size, uint64_t new_size,
                            uint32_t flags, VirtAddr new_address) {
    return space().remap(address, old_size, new_size, flags, new_address);
}

Result<void> sys_madvise(VirtAddr address, uint64_t size, int advice) {
    return space().advise(address, size, advice);
}

Result<VirtAddr> sys_brk(VirtAddr end) { return space().set_break(end); }
