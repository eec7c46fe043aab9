// Lab 2: a change of page tables shows at once, to the user's instructions, to the kernel when
// it works for the user, and to another thread on another CPU.
//
// Each sequence runs whole in a child: a fork in its middle would start with an empty TLB.
//
// /run/mello/data/stale_seed: what the pages are filled with.
#include <pthread.h>
#include <sys/uio.h>

#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

uint64_t seed;

// Fills pages so that reading and writing them is in the TLB.
void touch(char* memory, size_t pages, char value) {
    for (size_t i = 0; i < pages; i++) byte_at(memory + i * kPage) = value;
    for (size_t i = 0; i < pages; i++) peek(memory + i * kPage);
}

void user_side() {
    check_group("user");
    for (size_t pages : {size_t{1}, size_t{40}, size_t{150}}) {
        size_t last = (pages - 1) * kPage;
        check_killed("write_after_mprotect", SIGSEGV, run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            mprotect(memory, pages * kPage, PROT_READ);
            byte_at(memory + last) = 'b';
            return 0;
        }));
        check_killed("read_after_munmap", SIGSEGV, run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            munmap(memory, pages * kPage);
            return peek(memory + last);
        }));
        check_killed("read_after_protect_none", SIGSEGV, run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            mprotect(memory, pages * kPage, PROT_NONE);
            return peek(memory + last);
        }));
        check_exited("protect_none_keeps_the_contents", 'a', run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            mprotect(memory, pages * kPage, PROT_NONE);
            mprotect(memory, pages * kPage, PROT_READ);
            return peek(memory + last);
        }));
        check_exited("new_memory_in_the_same_place_is_zero", 0, run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            mmap(memory, pages * kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0);
            int sum = 0;
            for (size_t i = 0; i < pages; i++) sum |= byte_at(memory + i * kPage);
            return sum;
        }));
        check_exited("dropped_pages_are_zero", 0, run_child([=] {
            char* memory = map_pages(pages);
            touch(memory, pages, 'a');
            madvise(memory, pages * kPage, MADV_DONTNEED);
            int sum = 0;
            for (size_t i = 0; i < pages; i++) sum |= byte_at(memory + i * kPage);
            return sum;
        }));
        check_exited("moved_pages_are_at_the_new_place", 'a', run_child([=] {
            char* memory = map_pages(pages);
            char* other = map_pages(pages);
            touch(memory, pages, 'a');
            touch(other, pages, 'o');
            if (mremap(memory, pages * kPage, pages * kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
                       other) != other)
                return 1;
            return byte_at(other + last) + 0;
        }));
        check_killed("moved_pages_are_gone_from_the_old_place", SIGSEGV, run_child([=] {
            char* memory = map_pages(pages);
            char* other = map_pages(pages);
            touch(memory, pages, 'a');
            if (mremap(memory, pages * kPage, pages * kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
                       other) != other)
                return 1;
            return peek(memory + last);
        }));
        check_killed("code_after_taking_the_right_to_run", SIGSEGV, run_child([=] {
            char* memory = map_pages(pages, kReadWrite | PROT_EXEC);
            touch(memory, pages, static_cast<char>(0xc3));  // ret
            reinterpret_cast<void (*)()>(memory + last)();
            mprotect(memory, pages * kPage, kReadWrite);
            reinterpret_cast<void (*)()>(memory + last)();
            return 0;
        }));
    }
}

// What the kernel reads at `from`, by way of a pipe; false when write(2) says no.
bool kernel_sees(const char* from, char* to, size_t size) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    bool sees = write(ends[1], from, size) == static_cast<ssize_t>(size) &&
                read(ends[0], to, size) == static_cast<ssize_t>(size);
    close(ends[0]);
    close(ends[1]);
    return sees;
}

// Fills a page of the same address again and again with other things; the kernel must see
// what is there now.
int kernel_reads_what_is_there() {
    Sequence sequence(seed);
    char* memory = map_pages(3);
    char got[64], expected[64];
    for (int round = 0; round < 40; round++) {
        sequence.fill(expected, sizeof expected);
        memcpy(memory + kPage, expected, sizeof expected);
        if (memcmp(memory + kPage, expected, sizeof expected) != 0) return 1;
        if (!kernel_sees(memory + kPage, got, sizeof got)) return 2;
        if (memcmp(got, expected, sizeof got) != 0) return 3;
        munmap(memory + kPage, kPage);
        if (kernel_sees(memory + kPage, got, sizeof got)) return 4;
        mmap(memory + kPage, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    return 0;
}

void kernel_side() {
    check_group("kernel");
    check_exited("reads_the_page_that_is_there_now", 0, run_child(kernel_reads_what_is_there));
    check_exited("reads_nothing_after_munmap", 0, run_child([] {
        constexpr size_t kPages = 100;
        char* memory = map_pages(kPages);
        char got;
        touch(memory, kPages, 'a');
        munmap(memory, kPages * kPage);
        int seen = 0;
        for (size_t i = 0; i < kPages; i++) seen += kernel_sees(memory + i * kPage, &got, 1);
        return seen;
    }));
    check_exited("writes_nothing_after_mprotect", 0, run_child([] {
        constexpr size_t kPages = 20;
        char* memory = map_pages(kPages);
        touch(memory, kPages, 'a');
        mprotect(memory, kPages * kPage, PROT_READ);
        int zero = open("/dev/zero", O_RDONLY), written = 0;
        for (size_t i = 0; i < kPages; i++) written += read(zero, memory + i * kPage, 1) == 1;
        return written;
    }));
    check_exited("reads_nothing_after_protect_none", 0, run_child([] {
        char* memory = map_pages(1);
        char got;
        touch(memory, 1, 'a');
        mprotect(memory, kPage, PROT_NONE);
        return kernel_sees(memory, &got, 1) ? 1 : 0;
    }));
    check_exited("user_sees_what_the_kernel_wrote", 'k', run_child([] {
        char* memory = map_pages(1);
        if (byte_at(memory) != 0) return 1;  // a page of zeros is in the TLB
        int ends[2];
        if (pipe(ends) != 0 || write(ends[1], "k", 1) != 1) return 2;
        if (read(ends[0], memory, 1) != 1) return 3;
        return peek(memory);
    }));
}

// ---- another thread ----

struct Other {
    char* memory;
    size_t pages;
    unsigned cpu;
    volatile int phase;
    volatile int stale;
};

void* look(void* argument) {
    auto& other = *static_cast<Other*>(argument);
    pin_to_cpu(other.cpu);
    for (size_t i = 0; i < other.pages; i++) peek(other.memory + i * kPage);
    other.phase = 1;
    while (other.phase != 2) {}  // no system call: the TLB keeps what it has
    int stale = 0;
    for (size_t i = 0; i < other.pages; i++) stale += byte_at(other.memory + i * kPage) != 0;
    other.stale = stale;
    return nullptr;
}

void other_thread() {
    check_group("threads");
    pin_to_cpu(0);
    int stale = 0;
    for (unsigned round = 0; round < 9; round++) {
        size_t pages = round % 3 == 2 ? 150 : 1 + round;
        char* memory = map_pages(pages);
        touch(memory, pages, 'a');
        Other other = {memory, pages, 1 + round % 3, 0, 0};
        pthread_t thread;
        if (pthread_create(&thread, nullptr, look, &other) != 0) {
            check_failed("pthread_create", Where::current(), "%s", error_name(errno));
            return;
        }
        while (other.phase != 1) asm volatile("pause");
        if (round % 2 == 0)
            madvise(memory, pages * kPage, MADV_DONTNEED);
        else
            mmap(memory, pages * kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                 0);
        other.phase = 2;
        pthread_join(thread, nullptr);
        stale += other.stale;
        munmap(memory, pages * kPage);
    }
    check_equal("old_pages_seen_on_another_cpu", 0, stale);
}

}  // namespace

int main() {
    seed = host_number("stale_seed", 1);
    user_side();
    kernel_side();
    other_thread();
    return check_summary("stale");
}
