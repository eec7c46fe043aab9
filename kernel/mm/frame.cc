// The table of Frame records: one for every 4 KiB between the first and the last usable
// byte of RAM, holes included, so that frame <-> address is one subtraction.
//
// The table is carved from the start of the largest usable range below 4 GiB, the part of
// memory that the boot page tables reach. RAM above is a hole until the kernel's own direct
// map exists, and is handed to the allocator then.
//
// Filling frames: two ways of each operation, chosen at boot by a race.
// No single loop wins everywhere. Measured in bytes a cycle: under TCG eight unrolled 64-bit
// moves reach 1.2 to 1.6 and REP MOVSQ 0.7; counted in instructions (icount, Bochs) REP MOVSQ
// reaches 7.9 and the unrolled loop 3.2; on hardware both run at memory speed. So the TSC
// decides (shared/EMULATORS.md has the measurements).
#include "kernel/mm/frame.h"

#include <algorithm>

#include "kernel/arch/x86.h"
#include "kernel/mm/user_access.h"

Frame* frame_table;
uint64_t first_frame_number;
uint64_t frame_table_size;

namespace {

constexpr PhysAddr kBootMapped = 4ull << 30;

// How much of the range the boot page tables map.
uint64_t low_part(const MemoryRange& range) {
    return std::min(range.end, kBootMapped) - std::min(range.start, kBootMapped);
}

// Hands what of `usable` lies in [from, to) to the allocator.
void add_frames(std::span<const MemoryRange> usable, PhysAddr from, PhysAddr to) {
    for (const MemoryRange& range : usable) {
        PhysAddr start = std::max(range.start, from), end = std::min(range.end, to);
        if (start >= end) continue;
        uint64_t first = (start >> kPageShift) - first_frame_number;
        for (uint64_t i = 0; i < (end - start) >> kPageShift; ++i)
            frame_table[first + i].references.store(0, std::memory_order_relaxed);
        frames_add_range(start, end);
    }
}

// ---- Filling frames ----

void clear_rep(void* page) {
    size_t count = kPageSize / 8;
    asm volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0ull) : "memory");
}

void copy_rep(void* to, const void* from) {
    size_t count = kPageSize / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

void clear_unrolled(void* page) {
    void* end = static_cast<char*>(page) + kPageSize;
    asm volatile(
        "1:\n\t"
        ".irp offset, 0, 8, 16, 24, 32, 40, 48, 56\n\t"
        "movq %2, \\offset(%0)\n\t"
        ".endr\n\t"
        "addq $64, %0\n\t"
        "cmpq %1, %0\n\t"
        "jne 1b"
        : "+r"(page)
        : "r"(end), "r"(0ull)
        : "memory", "cc");
}

// All loads of a group come before its stores: under TCG pages whose numbers are equal modulo
// the size of the soft TLB evict each other, and grouping halves how often.
void copy_unrolled(void* to, const void* from) {
    const void* end = static_cast<const char*>(from) + kPageSize;
    asm volatile(
        "1:\n\t"
        ".set offset, 0\n\t"
        ".irp register, rax, rcx, rdx, r8, r9, r10, r11, rbx\n\t"
        "movq offset(%1), %%\\register\n\t"
        ".set offset, offset + 8\n\t"
        ".endr\n\t"
        ".set offset, 0\n\t"
        ".irp register, rax, rcx, rdx, r8, r9, r10, r11, rbx\n\t"
        "movq %%\\register, offset(%0)\n\t"
        ".set offset, offset + 8\n\t"
        ".endr\n\t"
        "addq $64, %1\n\t"
        "addq $64, %0\n\t"
        "cmpq %2, %1\n\t"
        "jne 1b"
        : "+r"(to), "+r"(from)
        : "r"(end)
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
}

// The best of several runs: the first ones pay for translation and cold caches, and the host
// may take the CPU away in any of them.
template <typename Operation>
uint64_t time_of(Operation operation) {
    uint64_t best = ~0ull;
    for (int run = 0; run < 8; ++run) {
        uint64_t start = x86::rdtsc();
        operation();
        best = std::min(best, x86::rdtsc() - start);
    }
    return best;
}

}  // namespace

void* take_boot_memory(std::span<MemoryRange> usable, uint64_t bytes) {
    bytes = round_up(bytes, kPageSize);
    auto home = std::ranges::max_element(usable, {}, low_part);
    if (low_part(*home) <= bytes)
        panic("no room for a table of %lu KiB", bytes / 1024);
    void* memory = phys_to_virt(home->start);
    home->start += bytes;
    return memory;
}

void frame_table_init(std::span<MemoryRange> usable) {
    ASSERT(!usable.empty());
    first_frame_number = usable.front().start >> kPageShift;
    frame_table_size = (usable.back().end >> kPageShift) - first_frame_number;

    uint64_t bytes = frame_table_size * sizeof(Frame);
    frame_table = static_cast<Frame*>(take_boot_memory(usable, bytes));
    for (uint64_t i = 0; i < frame_table_size; ++i) {
        Frame* frame = new (&frame_table[i]) Frame;
        frame->references.store(kFrameHole, std::memory_order_relaxed);
    }
    add_frames(usable, 0, kBootMapped);
}

void frame_table_add_high(std::span<const MemoryRange> usable) {
    add_frames(usable, kBootMapped, ~0ull);
}

Result<Frame*> frame_alloc_zeroed() {
    Frame* frame = TRY(frame_alloc());
    page_clear(frame_data(frame));
    return frame;
}

void page_copy_init() {
    alignas(kPageSize) static char a[kPageSize], b[kPageSize];
    uint64_t rep = time_of([] {
        clear_rep(a);
        copy_rep(b, a);
    });
    uint64_t unrolled = time_of([] {
        clear_unrolled(a);
        copy_unrolled(b, a);
    });
    user_copy_rep = rep < unrolled;
}

void page_clear(void* page) { user_copy_rep ? clear_rep(page) : clear_unrolled(page); }
void page_copy(void* to, const void* from) {
    user_copy_rep ? copy_rep(to, from) : copy_unrolled(to, from);
}
