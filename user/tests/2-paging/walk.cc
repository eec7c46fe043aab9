// Lab 2: builds an address space with one page of each sort at places that the host knows
// (grader/suites/2-paging/boot_walk.cc), and stands still while the host walks the page
// tables: ours, and those of a child that runs on another CPU.
#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/report.h"

namespace {

char* const kPlace = reinterpret_cast<char*>(0x300000000000);
// By page number from kPlace on.
enum Page {
    kUnchanged,    // written before the fork, by nobody after
    kOurs,         // written by the parent after the fork
    kTheirs,       // written by the child after the fork
    kReadOnly,     // written, then protected
    kNoAccess,     // written, then PROT_NONE
    kShared,       // MAP_SHARED
    kCode,         // written, then PROT_READ | PROT_EXEC
    kUntouched,
    kUnmapped,     // written, then unmapped
    kPageCount,
};
char* at(int page) { return kPlace + page * kPage; }

void build() {
    constexpr int kFixed = MAP_ANONYMOUS | MAP_FIXED;
    bool mapped =
        mmap(kPlace, kPageCount * kPage, kReadWrite, MAP_PRIVATE | kFixed, -1, 0) == kPlace &&
        mmap(at(kShared), kPage, kReadWrite, MAP_SHARED | kFixed, -1, 0) == at(kShared) &&
        // In other tables, up to another entry of the root.
        mmap(kPlace + (1ul << 30), kPage, kReadWrite, MAP_PRIVATE | kFixed, -1, 0) !=
            MAP_FAILED &&
        mmap(kPlace + (1ul << 39), kPage, kReadWrite, MAP_PRIVATE | kFixed, -1, 0) !=
            MAP_FAILED;
    check("mapped", mapped);
    for (int page = 0; page < kPageCount; page++) {
        if (page != kUntouched) byte_at(at(page)) = static_cast<char>('a' + page);
    }
    byte_at(at(kShared)) = 0;
    byte_at(kPlace + (1ul << 30)) = 1;
    byte_at(kPlace + (1ul << 39)) = 1;
    mprotect(at(kReadOnly), kPage, PROT_READ);
    mprotect(at(kNoAccess), kPage, PROT_NONE);
    mprotect(at(kCode), kPage, PROT_READ | PROT_EXEC);
    munmap(at(kUnmapped), kPage);
}

}  // namespace

int main() {
    check_group("walk");
    build();
    auto* phase = reinterpret_cast<volatile char*>(at(kShared));
    pid_t child = start_child([=] {
        byte_at(at(kTheirs)) = 't';
        *phase = 1;
        while (*phase == 1) asm volatile("pause");
        return 0;
    });
    while (*phase != 1) asm volatile("pause");
    byte_at(at(kOurs)) = 'o';
    wait_for_host();
    *phase = 2;
    check_exited("child", 0, wait_status(child));
    return check_summary("walk");
}
