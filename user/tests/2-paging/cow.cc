// Lab 2: copy on write, as programs see it.
//
//   isolation  parent, child and grandchild change the same pages, by the host's data; each
//              reports the hash of what it sees (grader/suites/2-paging/boot_memory.cc makes
//              the same changes)
//   readonly   fork must not make writable what is not; mprotect afterwards must not undo COW
//   copyout    the kernel writes on the user's behalf: read(2) into a page that is shared
//   files      a private mapping of a file never changes the file, a shared one does
//   threads    another thread's TLB has the old page when one thread's write makes the copy
//
// /run/mello/data: cow_seed, cow_pages, blob.
#include <pthread.h>

#include "user/tests/2-paging/pages.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

void edit(char* memory, size_t size, uint64_t seed) {
    Sequence sequence(seed);
    for (int i = 0; i < 300; i++) {
        uint64_t at = sequence.below(size);
        byte_at(memory + at) = static_cast<char>(sequence.next() >> 24);
    }
}

void report_hash(const char* name, const char* memory, size_t size) {
    report(name, "%#lx", hash_bytes(memory, size));
}

void isolation() {
    check_group("isolation");
    uint64_t seed = host_number("cow_seed", 1);
    size_t size = host_number("cow_pages", 50) * kPage;
    char* memory = map_pages(size / kPage);
    Sequence(seed).fill(memory, size);
    Gate parent_done;
    pid_t child = start_child([&] {
        parent_done.wait();
        report_hash("child_before", memory, size);
        edit(memory, size, seed ^ 1);
        int status = run_child([&] {
            edit(memory, size, seed ^ 2);
            report_hash("grandchild", memory, size);
            return 0;
        });
        report_hash("child_after", memory, size);
        return status;
    });
    // Our TLB still says that these pages may be written.
    edit(memory, size, seed ^ 3);
    parent_done.open();
    check_exited("children", 0, wait_status(child));
    report_hash("parent", memory, size);
    munmap(memory, size);
}

const char constant[2 * kPage] = {1};

void readonly() {
    check_group("readonly");
    auto* text = reinterpret_cast<const char*>(&isolation);
    check_killed("text_in_the_child", SIGSEGV, run_child([=] {
        byte_at(text) = 0;
        return 0;
    }));
    check_killed("text_in_the_parent", SIGSEGV, run_child([=] {
        int status = run_child([] { return 0; });
        byte_at(text) = 0;
        return status;
    }));
    check_killed("constants", SIGSEGV, run_child([=] {
        byte_at(constant + kPage) = 0;
        return 0;
    }));
    char* memory = map_pages(4);
    memset(memory, 'm', 4 * kPage);
    mprotect(memory, 4 * kPage, PROT_READ);
    check_killed("protected_page", SIGSEGV, run_child([=] {
        byte_at(memory + kPage) = 'x';
        return 0;
    }));
    // COW goes on for a page that becomes writable only after the fork.
    Gate written;
    pid_t child = start_child([&] {
        if (mprotect(memory, 4 * kPage, kReadWrite) != 0) return 1;
        memset(memory, 'c', 4 * kPage);
        written.open();
        return byte_at(memory + 2 * kPage) == 'c' ? 0 : 2;
    });
    written.wait();
    check_equal("page_made_writable_after_fork", 'm', byte_at(memory + 2 * kPage));
    check_exited("child_keeps_its_own", 0, wait_status(child));
    check_killed("page_made_inaccessible", SIGSEGV, run_child([=] {
        mprotect(memory, kPage, PROT_NONE);
        return run_child([=] { return byte_at(memory); }) == 0 ? 1 : byte_at(memory);
    }));
    munmap(memory, 4 * kPage);
}

// The file's first bytes, by read(2).
void read_blob(char* to, size_t size) {
    int fd = open("/run/mello/data/blob", O_RDONLY);
    size_t have = 0;
    for (ssize_t got; have < size && (got = read(fd, to + have, size - have)) > 0;) have += got;
    close(fd);
    check_equal("blob_is_read", size, have);
}

void copyout() {
    check_group("copyout");
    constexpr size_t kPages = 5, kSize = kPages * kPage;
    char* blob = map_pages(kPages);
    read_blob(blob, kSize);
    char* memory = map_pages(kPages);
    memset(memory, 'p', kSize);
    char* before = map_pages(kPages);
    memset(before, 'p', kSize);

    check_exited("child_reads_into_its_page", 0, run_child([=] {
        read_blob(memory, kSize);
        return memcmp(memory, blob, kSize) == 0 ? 0 : 1;
    }));
    check_bytes("parent_page_is_untouched", before, memory, kSize);

    Gate done;
    pid_t child = start_child([&] {
        done.wait();
        return memcmp(memory, before, kSize) == 0 ? 0 : 1;
    });
    read_blob(memory, kSize);
    done.open();
    check_exited("child_page_is_untouched", 0, wait_status(child));
    check_bytes("parent_has_what_it_read", blob, memory, kSize);

    // Into a page that only the kernel writes: never touched by either before.
    char* fresh = map_pages(kPages);
    check_exited("fresh_page", 0, run_child([=] {
        read_blob(fresh, kSize);
        return memcmp(fresh, blob, kSize) == 0 ? 0 : 1;
    }));
    memset(before, 0, kSize);
    check_bytes("parent_fresh_page_is_zero", before, fresh, kSize);

    // A buffer that the user may not write is not written by the kernel either.
    mprotect(fresh, kSize, PROT_READ);
    int fd = open("/run/mello/data/blob", O_RDONLY);
    check_fails("read_into_read_only_memory", EFAULT, read(fd, fresh, 100));
    check_fails("read_into_text", EFAULT, read(fd, reinterpret_cast<void*>(&read_blob), 100));
    close(fd);
    for (char* used : {blob, memory, before, fresh}) munmap(used, kSize);
}

void files() {
    check_group("files");
    constexpr size_t kPages = 5, kSize = kPages * kPage;
    char* blob = map_pages(kPages);
    read_blob(blob, kSize);
    int fd = open("/tmp/cow", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check_equal("file", kSize, write(fd, blob, kSize));
    auto map = [fd](int flags) {
        void* memory = mmap(nullptr, kSize, kReadWrite, flags, fd, 0);
        return static_cast<char*>(memory);
    };
    char* first = map(MAP_PRIVATE);
    char* second = map(MAP_PRIVATE);
    check_bytes("private_shows_the_file", blob, first, kSize);
    for (size_t i = 0; i < kPages; i += 2) memset(first + i * kPage, 'f', kPage);
    check_bytes("another_mapping_is_untouched", blob, second, kSize);
    char* again = map_pages(kPages);
    check_equal("file_read", kSize, pread(fd, again, kSize, 0));
    check_bytes("file_is_untouched", blob, again, kSize);
    check_exited("child_of_a_private_mapping", 0, run_child([=] {
        if (byte_at(first) != 'f' || memcmp(first + kPage, blob + kPage, kPage) != 0) return 1;
        memset(first, 'g', kSize);
        return memcmp(second, blob, kSize) == 0 ? 0 : 2;
    }));
    check_equal("parent_of_it", 'f', byte_at(first + 2 * kPage));
    check_bytes("page_in_between", blob + kPage, first + kPage, kPage);

    char* shared = map(MAP_SHARED);
    check_exited("child_writes_shared", 0, run_child([=] {
        memset(shared + kPage, 's', kPage);
        return 0;
    }));
    check_equal("parent_sees_it", 's', byte_at(shared + kPage + 7));
    check_equal("file_read_again", kSize, pread(fd, again, kSize, 0));
    check_equal("file_has_it", 's', again[kPage + 7]);
    check_equal("written_private_page_keeps_its_own", 'f', byte_at(first));
    close(fd);
    unlink("/tmp/cow");
    for (char* used : {blob, first, second, again, shared}) munmap(used, kSize);
}

// ---- threads ----

struct Reader {
    char* page;
    unsigned cpu;
    volatile bool running, stop;
    volatile bool stale;
};

// Reads until it sees 'n', which is written once on another CPU, or is told that it was.
void* read_on(void* argument) {
    auto& reader = *static_cast<Reader*>(argument);
    pin_to_cpu(reader.cpu);
    while (byte_at(reader.page) != 'o') {}
    reader.running = true;
    while (!reader.stop) {
        if (byte_at(reader.page) == 'n') return nullptr;
    }
    // It was written long ago.
    reader.stale = byte_at(reader.page) != 'n';
    return nullptr;
}

void threads() {
    check_group("threads");
    pin_to_cpu(0);
    unsigned stale = 0;
    for (unsigned round = 0; round < 12; round++) {
        char* page = map_pages(1);
        *page = 'o';
        Reader reader = {page, 1 + round % 3, false, false, false};
        pthread_t thread;
        if (pthread_create(&thread, nullptr, read_on, &reader) != 0) {
            check_failed("pthread_create", Where::current(), "%s", error_name(errno));
            return;
        }
        while (!reader.running) asm volatile("pause");
        Gate over;
        pid_t child = start_child([&] {
            over.wait();
            return byte_at(page) == 'o' ? 0 : 1;
        });
        byte_at(page) = 'n';
        reader.stop = true;
        pthread_join(thread, nullptr);
        stale += reader.stale;
        over.open();
        check_exited("child_keeps_the_old_page", 0, wait_status(child));
        munmap(page, kPage);
    }
    check_equal("other_threads_that_still_read_the_old_page", 0, stale);
}

}  // namespace

int main() {
    isolation();
    readonly();
    copyout();
    files();
    threads();
    return check_summary("cow");
}
