// Lab 2: the edges of user space. What is not the user's is refused with an error, and never
// reached; ranges of any length are taken or refused as a whole.
//
//   pointers  system calls with addresses of the kernel, past the end, wrapping around
//   ranges    mmap, munmap, mprotect of large, empty and overflowing ranges
//   sparse    pages at the borders of tables of every level, filled with the host's data
#include <sys/uio.h>

#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

constexpr uint64_t kUserTop = 0x7ffffffff000;  // of kernel/arch/paging.h; Linux has the same
char* address(uint64_t value) { return reinterpret_cast<char*>(value); }

void pointers() {
    check_group("pointers");
    int ends[2], zero = open("/dev/zero", O_RDONLY);
    check_works("pipe", pipe(ends));
    for (uint64_t bad : {0xffffffff80000000ul, 0xffffffff80200000ul, 0xffff800000100000ul,
                         0xffffc90000001000ul, 0x8000000000000000ul, 0x800000000000ul,
                         kUserTop, ~0xffful, ~0ul - 15, 0ul, 8ul}) {
        check_fails("write_from", EFAULT, write(ends[1], address(bad), 16));
        check_fails("read_into", EFAULT, read(zero, address(bad), 16));
        check_fails("path", EFAULT, open(address(bad), O_RDONLY));
    }
    // Begins in user space and ends in the kernel's, or wraps around to user space again.
    char* memory = map_pages(4);
    memset(memory, 'm', 4 * kPage);
    auto start = reinterpret_cast<uint64_t>(memory);
    for (uint64_t length : {~0ul - start - 1, ~0ul - start + 5000, 1ul << 63, ~0ul}) {
        iovec piece = {memory, length};
        ssize_t got = readv(zero, &piece, 1);
        // Linux refuses what is negative, we may also cut it short; never beyond our pages.
        check("long_read", got == -1 || (got > 0 && got <= static_cast<ssize_t>(4 * kPage)));
    }
    // A hole in the middle: what comes before it is done.
    memset(memory, 'm', 4 * kPage);
    munmap(memory + 2 * kPage, kPage);
    ssize_t before_hole = read(zero, memory + kPage, 3 * kPage);
    check("read_up_to_a_hole", before_hole == static_cast<ssize_t>(kPage) ||
                                   (before_hole == -1 && errno == EFAULT));
    check_equal("behind_the_hole", 'm', byte_at(memory + 3 * kPage));
    for (uint64_t bad : {0xffffffff80200000ul, 0x800000000000ul, 0ul, kUserTop}) {
        check_killed("read_by_the_user", SIGSEGV,
                     run_child([=] { return peek(address(bad)); }));
        check_killed("write_by_the_user", SIGSEGV, run_child([=] {
            byte_at(address(bad)) = 1;
            return 0;
        }));
    }
    close(ends[0]);
    close(ends[1]);
    close(zero);
}

void ranges() {
    check_group("ranges");
    auto fails = [](const char* name, int error, uint64_t where, uint64_t length) {
        check_fails(name, error, munmap(address(where), length));
    };
    fails("munmap_nothing", EINVAL, 0x10000000, 0);
    fails("munmap_across_the_top", EINVAL, kUserTop - kPage, 2 * kPage);
    fails("munmap_wraps", EINVAL, 0x10000000, ~0ul - 0xfff);
    fails("munmap_kernel", EINVAL, 0xffffffff80000000, kPage);
    check_fails("mprotect_kernel", ENOMEM,
                mprotect(address(0xffffffff80000000), kPage, PROT_READ));
    check_fails("mprotect_wraps", ENOMEM,
                mprotect(address(0x10000000), ~0ul - 0xfff, PROT_READ));
    // 16 TiB with eight pages in it, changed as a whole.
    constexpr uint64_t kHuge = 1ul << 44, kStep = kHuge / 8;
    void* huge = mmap(nullptr, kHuge, kReadWrite,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!check("16_TiB", huge != MAP_FAILED)) return;
    char* memory = static_cast<char*>(huge);
    for (uint64_t i = 0; i < kHuge; i += kStep) byte_at(memory + i) = 'h';
    check_works("protect_it", mprotect(memory, kHuge, PROT_READ));
    check_killed("is_protected", SIGSEGV, run_child([=] {
        byte_at(memory + 3 * kStep) = 1;
        return 0;
    }));
    check_works("unprotect_it", mprotect(memory, kHuge, kReadWrite));
    byte_at(memory + 5 * kStep) = 'i';
    check_equal("keeps", 'h', byte_at(memory + 6 * kStep));
    check_works("unmap_it", munmap(memory, kHuge));
    check_killed("is_gone", SIGSEGV,
                 run_child([=] { return peek(memory + 5 * kStep); }));
    check_killed("unmapping_everything_kills", SIGSEGV, run_child([] {
        munmap(address(kPage), kUserTop - kPage);
        return 0;
    }));
}

// Around the borders of tables, and at the ends of user space.
void sparse() {
    check_group("sparse");
    constexpr uint64_t kBorders[] = {0x200000,       0x40000000ul,    0x200000ul * 700,
                                     1ul << 38,      1ul << 39,       (1ul << 39) * 3,
                                     (1ul << 39) * 200 + (1ul << 30), 1ul << 46};
    Sequence sequence(host_number("bounds_seed", 1));
    char expected[2 * kPage];
    uint64_t hash = kHashStart;
    for (int pass = 0; pass < 2; pass++) {
        Sequence repeated = sequence;
        for (uint64_t border : kBorders) {
            char* memory = address(border - kPage);
            repeated.fill(expected, sizeof expected);
            if (pass == 0) {
                void* got = mmap(memory, 2 * kPage, kReadWrite,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
                if (!check("mmap", got == memory)) return;
                memcpy(memory, expected, sizeof expected);
            } else {
                check_bytes("contents", expected, memory, sizeof expected);
                hash = hash_bytes(memory, sizeof expected, hash);
            }
        }
    }
    report("sparse_hash", "%#lx", hash);
    char* top = address(kUserTop - kPage);
    void* got = mmap(top, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                     -1, 0);
    if (got == top) byte_at(top + kPage - 1) = 't';
    check("last_page_of_user_space", got == top || errno == EEXIST);
}

}  // namespace

int main() {
    pointers();
    ranges();
    sparse();
    return check_summary("bounds");
}
