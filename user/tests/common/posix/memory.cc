// Anonymous memory: mmap, munmap, mprotect, mremap, brk, madvise. Wrong accesses happen in
// children, which die of SIGSEGV.
#include <sys/resource.h>

#include "user/tests/common/posix/posix.h"

namespace {

constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

long map(void* hint, size_t size, int protection, int flags, int fd = -1, long offset = 0) {
    return syscall(SYS_mmap, hint, size, protection, flags, fd, offset);
}
bool is_page(long address) { return address > 0 && address % kPage == 0; }

}  // namespace

void test_mmap() {
    char* pages = map_pages(4);
    check("aligned", is_page(reinterpret_cast<long>(pages)));
    check("zero", all_bytes(pages, 4 * kPage, 0));
    fill(pages, 4 * kPage);
    check_equal("keeps", 4 * kPage, filled_until(pages, 4 * kPage));
    check_equal("fixed", reinterpret_cast<long>(pages + kPage),
                map(pages + kPage, kPage, kReadWrite, kAnonymous | MAP_FIXED));
    check("fixed_replaces_by_zero", all_bytes(pages + kPage, kPage, 0));
    check_equal("fixed_keeps_before", kPage, filled_until(pages, kPage));
    check_equal("fixed_keeps_behind", 2 * kPage,
                filled_until(pages + 2 * kPage, 2 * kPage, 2 * kPage));
    check_fails("fixed_noreplace", EEXIST,
                map(pages, kPage, kReadWrite, kAnonymous | MAP_FIXED_NOREPLACE));
    check_fails("no_length", EINVAL, map(nullptr, 0, PROT_READ, kAnonymous));
    check_fails("fixed_unaligned", EINVAL,
                map(pages + 1, kPage, PROT_READ, kAnonymous | MAP_FIXED));
    check_fails("neither_private_nor_shared", EINVAL,
                map(nullptr, kPage, PROT_READ, MAP_ANONYMOUS));
    check_fails("too_large", ENOMEM, map(nullptr, 1ul << 47, PROT_READ, kAnonymous));
    check_fails("wraps", ENOMEM, map(nullptr, -1ul, PROT_READ, kAnonymous));
    check_fails("fixed_in_kernel", ENOMEM,
                map(reinterpret_cast<void*>(0xffff800000000000), kPage, PROT_READ,
                    kAnonymous | MAP_FIXED));
    check_fails("fixed_across_the_end", ENOMEM,
                map(reinterpret_cast<void*>(0x7ffffffff000 - kPage), 4 * kPage, PROT_READ,
                    kAnonymous | MAP_FIXED));
    check("hint_in_kernel_is_moved",
          is_page(map(reinterpret_cast<void*>(0xffff800000000000), kPage, PROT_READ,
                      kAnonymous)));
    auto* hint = reinterpret_cast<void*>(0x500000000000);
    check_equal("free_hint_is_taken", 0x500000000000, map(hint, kPage, kReadWrite, kAnonymous));
    long other = map(hint, kPage, kReadWrite, kAnonymous);
    check("used_hint_is_moved", is_page(other) && other != 0x500000000000);
    long odd = map(nullptr, 100, kReadWrite, kAnonymous);
    check("length_is_rounded", is_page(odd));
    check_killed("write_read_only", SIGSEGV, status_of_write(map_pages(1, PROT_READ)));
    check_killed("read_no_access", SIGSEGV, status_of_read(map_pages(1, PROT_NONE)));
    check_killed("write_no_access", SIGSEGV, status_of_write(map_pages(1, PROT_NONE)));
    check_exited("read_untouched", 0, status_of_read(map_pages(1, PROT_READ)));
    char* code = map_pages(1);
    *code = static_cast<char>(0xc3);  // ret
    check_killed("execute_data", SIGSEGV, status_of_call(code));
    char* executable = map_pages(1, PROT_READ | PROT_WRITE | PROT_EXEC);
    *executable = static_cast<char>(0xc3);
    check_exited("execute_code", 0, status_of_call(executable));
    constexpr size_t kLarge = 1ul << 30;
    long large = map(nullptr, kLarge, kReadWrite, kAnonymous | MAP_NORESERVE);
    if (check("1_GiB_lazily", is_page(large))) {
        auto* at = reinterpret_cast<char*>(large);
        for (size_t i = 0; i < kLarge; i += kLarge / 16) at[i] = 1;
        check_equal("1_GiB_sparse", 1, at[kLarge / 2]);
        check_works("1_GiB_unmap", munmap(at, kLarge));
    }
    long populated = map(nullptr, 16 * kPage, kReadWrite, kAnonymous | MAP_POPULATE);
    check("populate", is_page(populated) &&
                          all_bytes(reinterpret_cast<char*>(populated), 16 * kPage, 0));
    check_exited("limit", 0, run_child([] {
                     rlimit limit = {256 << 20, 256 << 20};
                     if (setrlimit(RLIMIT_AS, &limit) != 0) return 1;
                     long got = map(nullptr, 512 << 20, kReadWrite, kAnonymous);
                     return got == -1 && errno == ENOMEM ? 0 : 2;
                 }));
}

void test_munmap() {
    char* pages = map_pages(5);
    fill(pages, 5 * kPage);
    check_works("middle", munmap(pages + 2 * kPage, kPage));
    check_killed("middle_is_gone", SIGSEGV, status_of_read(pages + 2 * kPage));
    check_killed("middle_is_gone_at_its_end", SIGSEGV, status_of_read(pages + 3 * kPage - 1));
    check_equal("before_stays", 2 * kPage, filled_until(pages, 2 * kPage));
    check_equal("behind_stays", 2 * kPage,
                filled_until(pages + 3 * kPage, 2 * kPage, 3 * kPage));
    check_works("hole_again", munmap(pages + 2 * kPage, kPage));
    check_works("across_the_hole", munmap(pages + kPage, 3 * kPage));
    check_killed("front_gone", SIGSEGV, status_of_read(pages + kPage));
    check_equal("first_stays", kPage, filled_until(pages, kPage));
    check_equal("last_stays", kPage, filled_until(pages + 4 * kPage, kPage, 4 * kPage));
    check_works("length_is_rounded", munmap(pages, 1));
    check_killed("whole_page_gone", SIGSEGV, status_of_read(pages + kPage - 1));
    check_fails("unaligned", EINVAL, munmap(pages + 4 * kPage + 1, kPage));
    check_fails("no_length", EINVAL, munmap(pages + 4 * kPage, 0));
    check_fails("kernel", EINVAL, munmap(reinterpret_cast<void*>(0xffff800000000000), kPage));
    check_fails("too_long", EINVAL, munmap(pages + 4 * kPage, 1ul << 48));
    // Many regions: every second page of many taken out, the rest verified.
    constexpr size_t kMany = 400;
    char* many = map_pages(kMany);
    fill(many, kMany * kPage);
    int failures = 0, lost = 0;
    for (size_t i = 1; i < kMany; i += 2) failures += munmap(many + i * kPage, kPage) != 0;
    for (size_t i = 0; i < kMany; i += 2) {
        lost += filled_until(many + i * kPage, kPage, i * kPage) != kPage;
    }
    check_equal("many_holes", 0, failures);
    check_equal("many_holes_keep_the_rest", 0, lost);
    check_works("many_at_once", munmap(many, kMany * kPage));
    check_killed("many_gone", SIGSEGV, status_of_read(many + 200 * kPage));
}

void test_mprotect() {
    char* pages = map_pages(3);
    fill(pages, 3 * kPage);
    check_works("read_only", mprotect(pages + kPage, kPage, PROT_READ));
    check_killed("write_read_only", SIGSEGV, status_of_write(pages + kPage));
    check_exited("read_read_only", 0, status_of_read(pages + kPage));
    check_exited("page_before", 0, status_of_write(pages + kPage - 1));
    check_exited("page_behind", 0, status_of_write(pages + 2 * kPage));
    check_works("no_access", mprotect(pages + kPage, kPage, PROT_NONE));
    check_killed("read_no_access", SIGSEGV, status_of_read(pages + kPage));
    check_works("back", mprotect(pages + kPage, kPage, kReadWrite));
    check_equal("keeps_bytes", 3 * kPage, filled_until(pages, 3 * kPage));
    check_exited("writable_again", 0, status_of_write(pages + kPage));
    pages[0] = static_cast<char>(0xc3);
    check_killed("not_executable", SIGSEGV, status_of_call(pages));
    check_works("executable", mprotect(pages, kPage, PROT_READ | PROT_EXEC));
    check_exited("executes", 0, status_of_call(pages));
    check_killed("executable_not_writable", SIGSEGV, status_of_write(pages));
    check_fails("unaligned", EINVAL, syscall(SYS_mprotect, pages + 1, kPage, PROT_READ));
    check_works("no_length", mprotect(pages, 0, PROT_READ));
    check_fails("unmapped", ENOMEM, mprotect(unmapped_page(), kPage, PROT_READ));
    munmap(pages + 2 * kPage, kPage);
    check_fails("runs_into_a_hole", ENOMEM, mprotect(pages, 3 * kPage, PROT_READ));
    check_fails("unknown_bits", EINVAL, syscall(SYS_mprotect, pages, kPage, 0x100));
    // The calls of the kernel obey the protection as well.
    char* target = map_pages(1);
    int fd = make_file("file", 100);
    mprotect(target, kPage, PROT_READ);
    check_fails("read_into_read_only", EFAULT, read(fd, target, 10));
    mprotect(target, kPage, kReadWrite);
    check_equal("read_into_writable", 10, read(fd, target, 10));
    mprotect(target, kPage, PROT_NONE);
    check_fails("write_from_no_access", EFAULT, write(fd, target, 10));
    close(fd);
    // A child's change of protection is its own.
    char* own = map_pages(1);
    check_exited("child_protects", 0, run_child([&] { return mprotect(own, kPage, PROT_NONE); }));
    *own = 1;
    check_equal("parent_unprotected", 1, *own);
}

void test_mremap() {
    char* pages = map_pages(4);
    fill(pages, 4 * kPage);
    check_equal("shrink", reinterpret_cast<long>(pages),
                reinterpret_cast<long>(mremap(pages, 4 * kPage, 2 * kPage, 0)));
    check_killed("shrunk", SIGSEGV, status_of_read(pages + 2 * kPage));
    check_equal("same_size", reinterpret_cast<long>(pages),
                reinterpret_cast<long>(mremap(pages, 2 * kPage, 2 * kPage, 0)));
    auto* big = static_cast<char*>(mremap(pages, 2 * kPage, 600 * kPage, MREMAP_MAYMOVE));
    if (!check("grow", big != MAP_FAILED)) return;
    check_equal("grown_keeps", 2 * kPage, filled_until(big, 2 * kPage));
    check("grown_is_zero", all_bytes(big + 2 * kPage, 598 * kPage, 0));
    if (big != pages) check_killed("old_place_gone", SIGSEGV, status_of_read(pages));
    char* blocked = map_pages(3);
    mmap(blocked + kPage, kPage, PROT_READ, kAnonymous | MAP_FIXED, -1, 0);
    check_fails("no_room_without_moving", ENOMEM,
                reinterpret_cast<long>(mremap(blocked, kPage, 2 * kPage, 0)));
    auto* target = reinterpret_cast<char*>(0x510000000000);
    auto* moved = static_cast<char*>(
        mremap(big, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, target));
    check_equal("fixed", 0x510000000000, reinterpret_cast<long>(moved));
    if (moved == target) {
        check_equal("fixed_keeps", 2 * kPage, filled_until(moved, 2 * kPage));
        check_killed("fixed_old_place_gone", SIGSEGV, status_of_read(big));
    }
    check_fails("unaligned", EINVAL,
                reinterpret_cast<long>(mremap(big + 1, kPage, 2 * kPage, 0)));
    check_fails("to_nothing", EINVAL, reinterpret_cast<long>(mremap(big, kPage, 0, 0)));
    check_fails("flags", EINVAL, reinterpret_cast<long>(mremap(big, kPage, kPage, 0x80)));
    check_fails("fixed_without_maymove", EINVAL,
                reinterpret_cast<long>(mremap(target, kPage, kPage, MREMAP_FIXED, big)));
    check_fails("unmapped", EFAULT,
                reinterpret_cast<long>(
                    mremap(unmapped_page(), kPage, 2 * kPage, MREMAP_MAYMOVE)));
    char* shared = static_cast<char*>(
        mmap(nullptr, kPage, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    strcpy(shared, "shared");
    auto* elsewhere = static_cast<char*>(mremap(shared, kPage, kPage,
                                                MREMAP_MAYMOVE | MREMAP_FIXED,
                                                target + 16 * kPage));
    if (check("shared", elsewhere != MAP_FAILED)) {
        run_child([&] { return strcpy(elsewhere, "changed"), 0; });
        check_text("shared_stays_shared", "changed", elsewhere);
    }
}

void test_brk() {
    long start = syscall(SYS_brk, 0);
    check("start", start > 0);
    long wanted = start + 10 * kPage + 123;
    check_equal("grow", wanted, syscall(SYS_brk, wanted));
    check_equal("grown", wanted, syscall(SYS_brk, 0));
    auto* heap = reinterpret_cast<char*>(start);
    check("new_is_zero", all_bytes(heap, 10 * kPage + 123, 0));
    fill(heap, 10 * kPage);
    check_equal("keeps", 10 * kPage, filled_until(heap, 10 * kPage));
    check_equal("shrink", start + 2 * kPage, syscall(SYS_brk, start + 2 * kPage));
    check_killed("shrunk", SIGSEGV, status_of_read(heap + 4 * kPage));
    check_equal("grow_again", wanted, syscall(SYS_brk, wanted));
    check("zero_again", all_bytes(heap + 3 * kPage, 6 * kPage, 0));
    check_equal("kept", kPage, filled_until(heap, kPage));
    check_equal("below_start", wanted, syscall(SYS_brk, 4096));
    check_equal("into_kernel", wanted, syscall(SYS_brk, 0xffff800000000000));
    check_equal("too_far", wanted, syscall(SYS_brk, 0x7fffffff0000));
    check_exited("child_grows", 0, run_child([&] {
                     return syscall(SYS_brk, wanted + 100 * kPage) == wanted + 100 * long(kPage)
                                ? 0
                                : 1;
                 }));
    check_equal("parent_stays", wanted, syscall(SYS_brk, 0));
    // A mapping in the way stops it.
    auto* obstacle = reinterpret_cast<void*>((start & ~(kPage - 1)) + 64 * kPage);
    if (mmap(obstacle, kPage, PROT_READ, kAnonymous | MAP_FIXED_NOREPLACE, -1, 0) == obstacle) {
        check_equal("obstacle", wanted, syscall(SYS_brk, start + 100 * kPage));
        munmap(obstacle, kPage);
    }
    check_equal("back", start, syscall(SYS_brk, start));
}

void test_madvise() {
    char* pages = map_pages(4);
    fill(pages, 4 * kPage);
    check_works("dontneed", madvise(pages + kPage, 2 * kPage, MADV_DONTNEED));
    check("dontneed_gives_zero", all_bytes(pages + kPage, 2 * kPage, 0));
    check_equal("dontneed_keeps_before", kPage, filled_until(pages, kPage));
    check_equal("dontneed_keeps_behind", kPage,
                filled_until(pages + 3 * kPage, kPage, 3 * kPage));
    check_works("willneed", madvise(pages, 4 * kPage, MADV_WILLNEED));
    check_works("normal", madvise(pages, 4 * kPage, MADV_NORMAL));
    check_works("sequential", madvise(pages, 4 * kPage, MADV_SEQUENTIAL));
    check_fails("unaligned", EINVAL, madvise(pages + 1, kPage, MADV_DONTNEED));
    check_fails("unknown", EINVAL, madvise(pages, kPage, 9999));
    check_fails("unmapped", ENOMEM, madvise(unmapped_page(), kPage, MADV_DONTNEED));
    // The stack grows by itself, below it there is nothing for ever.
    check_exited("stack_grows", 0, run_child([] {
                     volatile char deep[2 << 20];
                     for (size_t i = sizeof deep; i > 0; i -= 4096) deep[i - 1] = 1;
                     return deep[sizeof deep - 1] - 1;
                 }));
    check_killed("stack_has_an_end", SIGSEGV, run_child([] {
                     auto* at = static_cast<volatile char*>(__builtin_frame_address(0));
                     for (size_t i = 0; i < (1ul << 30); i += kPage) at[-static_cast<long>(i)] = 1;
                     return 0;
                 }));
}
