// Lab 3: the system call as the program sees it. `calls storm` and `calls watch` are storm.cc
// and watch.cc.
//
//   registers   every general register and XMM register but RAX, RCX, R11 is as it was; RCX is
//               the return address, R11 and RFLAGS the flags of before, DF and AC and NT among
//               them; on every CPU; for calls that return at once, fail, fault, yield and sleep
//   numbers     the call number is all of RAX, 64 bits: what no table has is ENOSYS. (Linux
//               since 5.13 looks at the low half only, so `numbers.high_half` fails there)
//   bases       FS and GS base belong to the process, across switches
//   traps       a program that single-steps itself into the kernel is the one that dies
//   arguments   six of them arrive, in order, with their full width: bytes of a file that the
//               host chose, fetched in four ways; both sides hash them
//
// Host data (all optional): `args`, a file of at least 1 byte; `args_seed`. The pieces are
//   Sequence s(args_seed); 64 times: offset = s.below(size);
//   length = 1 + s.below(min(5000, size - offset)); piece = args[offset, offset + length)
// and `args_hash` reports the FNV-1a hash over all pieces. Then each piece i of 32 (drawn from
// the same sequence as above) is written to another file at 7777 * i, and `args_written` is
// the hash of that whole file, holes being zeros.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "user/tests/3-syscall/calls/calls.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/figure.h"
#include "user/tests/lib/report.h"

namespace {

// arch_prctl's codes (asm/prctl.h, which musl does not bring)
constexpr int ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003;

// --- registers -------------------------------------------------------------------------------

void probe_all_kinds(Sequence& random, int null_fd, int file_fd) {
    static char buffer[4096];
    timespec moment = {0, 2000000};
    constexpr uint64_t bad = 0x1123;  // nothing is mapped there: the copy faults
    check_equal("registers.result", getppid(),
                probed_call("registers.null_call", random, SYS_getppid));
    check_equal("registers.write_result", 77,
                probed_call("registers.write", random, SYS_write, null_fd, address(buffer), 77));
    check_equal("registers.pread_result", 13,
                probed_call("registers.four_arguments", random, SYS_pread64, file_fd,
                            address(buffer), 13, 0));
    check_equal("registers.error_result", -EBADF,
                probed_call("registers.error", random, SYS_read, 9999, address(buffer), 1));
    check_equal("registers.fault_result", -EFAULT,
                probed_call("registers.fault", random, SYS_pread64, file_fd, bad, 13, 0));
    check_equal("registers.unknown_result", -ENOSYS,
                probed_call("registers.unknown_call", random, 4000));
    probed_call("registers.yield", random, SYS_sched_yield);
    check_equal("registers.sleep_result", 0,
                probed_call("registers.sleep", random, SYS_nanosleep, address(&moment), 0));
}

void test_registers(uint64_t seed, int file_fd) {
    Sequence random(seed);
    int null_fd = open("/dev/null", O_WRONLY);
    check_works("registers.open_null", null_fd);
    check_quietly(true);
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
        check("registers.pin", pin_to_cpu(cpu));
        for (int round = 0; round < 4; round++) probe_all_kinds(random, null_fd, file_fd);
    }
    check_quietly(false);
    close(null_fd);
    check_equal("registers.all_rounds", 0, check_counts().failures);
}

// --- numbers, bases, traps -------------------------------------------------------------------

uint64_t raw_call(uint64_t number) {
    uint64_t result;
    asm volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    return result;
}

void test_numbers() {
    check_equal("numbers.minus_one", -ENOSYS, raw_call(~0ull));
    check_equal("numbers.negative_half", -ENOSYS, raw_call(0x80000000ull + SYS_getppid));
    check_equal("numbers.past_any_table", -ENOSYS, raw_call(1023));
    check_equal("numbers.large", -ENOSYS, raw_call(0xfffff));
    // Linux looks at the lower half of RAX only; here the whole register is the number.
    if (!report_is_heard()) return;
    check_equal("numbers.last_row", -ENOSYS, raw_call(447));
    check_equal("numbers.first_past_the_table", -ENOSYS, raw_call(448));
    check_equal("numbers.high_half", -ENOSYS, raw_call(0x100000000ull + SYS_getppid));
    check_equal("numbers.top_bit", -ENOSYS, raw_call((1ull << 63) + SYS_getppid));
}

uint64_t read_fs_word() {
    uint64_t word;
    asm volatile("mov %%fs:0, %0" : "=r"(word));
    return word;
}
uint64_t read_gs_word() {
    uint64_t word;
    asm volatile("mov %%gs:0, %0" : "=r"(word));
    return word;
}

// In a child, since GS stays changed. Returns the number of wrong readings.
int keep_bases(uint64_t word) {
    uint64_t target = word;
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, &target) != 0) return 100;
    uint64_t fs_before = read_fs_word();
    int wrong = 0;
    for (int i = 0; i < 200; i++) {
        if (i % 8 == 0) {
            timespec moment = {0, 100000};
            syscall(SYS_nanosleep, &moment, nullptr);
        } else {
            syscall(SYS_sched_yield);
        }
        if (read_gs_word() != word || read_fs_word() != fs_before) wrong++;
    }
    return std::min(wrong, 99);
}

void test_bases() {
    constexpr int kChildren = 4;
    pid_t children[kChildren];
    for (int i = 0; i < kChildren; i++) {
        children[i] = start_child([&] { return keep_bases(0x1234567800000000 + i); });
    }
    for (pid_t child : children) {
        check_exited("bases.kept_across_switches", 0, wait_status(child));
    }
    uint64_t base = 0;
    check_works("bases.get_fs", syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
    check_equal("bases.fs_is_thread_pointer", read_fs_word(), base);
    check_fails("bases.kernel_address_refused", EPERM,
                syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff800000000000ul));
}

// `syscall` in the last two bytes of the lower half returns to a non-canonical address. Either
// there is no mapping that page, or the process dies of it; the kernel must not.
int call_at_end_of_user_space() {
    auto* last_page = reinterpret_cast<char*>(0x7ffffffff000);
    void* got = mmap(last_page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (got != last_page) return 0;
    memcpy(last_page + 4094, "\x0f\x05", 2);
    asm volatile("jmp *%0" ::"r"(last_page + 4094), "a"(SYS_getppid) : "memory");
    return 1;
}

void test_traps() {
    check_killed("traps.trap_flag", SIGTRAP, run_child([] {
                     syscall_with_trap_flag();
                     return 0;
                 }));
    int status = run_child(call_at_end_of_user_space);
    check("traps.call_at_end_of_user_space",
          status == 0 || (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

// --- arguments -------------------------------------------------------------------------------

struct Piece {
    uint64_t offset, length;
};
Piece next_piece(Sequence& sequence, uint64_t size) {
    uint64_t offset = sequence.below(size);
    return {offset, 1 + sequence.below(std::min<uint64_t>(5000, size - offset))};
}

// Fetches a piece of the file in one of four ways; how many bytes came.
ssize_t fetch(int fd, int way, Piece piece, char* to) {
    switch (way) {
        case 0: return pread(fd, to, piece.length, piece.offset);
        case 1: {
            if (lseek(fd, piece.offset, SEEK_SET) < 0) return -1;
            return read(fd, to, piece.length);
        }
        case 2: {
            size_t first = piece.length / 3;
            iovec parts[3] = {
                {to, first}, {to + first, 0}, {to + first, piece.length - first}};
            if (lseek(fd, piece.offset, SEEK_SET) < 0) return -1;
            return readv(fd, parts, 3);
        }
        default: {
            uint64_t start = piece.offset & ~4095ull, skip = piece.offset - start;
            auto* hint = reinterpret_cast<char*>(0x600000000000);
            void* at = mmap(hint, skip + piece.length, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd,
                            start);
            if (at != hint) return -1;
            memcpy(to, hint + skip, piece.length);
            munmap(at, skip + piece.length);
            return piece.length;
        }
    }
}

void test_pieces(int fd, uint64_t size, uint64_t seed) {
    static char buffer[8192];
    Sequence sequence(seed);
    uint64_t hash = kHashStart, short_reads = 0;
    for (int i = 0; i < 64; i++) {
        Piece piece = next_piece(sequence, size);
        ssize_t got = fetch(fd, i % 4, piece, buffer);
        if (got != static_cast<ssize_t>(piece.length)) short_reads++;
        hash = hash_bytes(buffer, piece.length, hash);
    }
    check_equal("arguments.short_reads", 0, short_reads);
    report("args_hash", "%016lx", hash);

    int out = open("/tmp/args.out", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check_works("arguments.create", out);
    uint64_t short_writes = 0;
    for (int i = 0; i < 32; i++) {
        Piece piece = next_piece(sequence, size);
        fetch(fd, 0, piece, buffer);
        ssize_t put = pwrite(out, buffer, piece.length, 7777l * i);
        if (put != static_cast<ssize_t>(piece.length)) short_writes++;
    }
    check_equal("arguments.short_writes", 0, short_writes);
    hash = kHashStart;
    for (;;) {
        ssize_t got = read(out, buffer, sizeof buffer);
        if (got <= 0) break;
        hash = hash_bytes(buffer, got, hash);
    }
    report("args_written", "%016lx", hash);
    close(out);
    unlink("/tmp/args.out");
}

// Each of mmap's six arguments has to arrive to give this answer.
void test_six_arguments(int fd, uint64_t size) {
    uint64_t page = (size - 1) / 4096;
    auto* where = reinterpret_cast<char*>(0x610000000000);
    uint64_t result = 0;
    register uint64_t r10 asm("r10") = MAP_PRIVATE | MAP_FIXED;
    register uint64_t r8 asm("r8") = fd;
    register uint64_t r9 asm("r9") = page * 4096;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(SYS_mmap), "D"(where), "S"(4096ul), "d"(PROT_READ), "r"(r10), "r"(r8),
                   "r"(r9)
                 : "rcx", "r11", "memory");
    if (!check_equal("arguments.mmap_result", address(where), result)) return;
    char direct[4096] = {};
    check_works("arguments.pread", pread(fd, direct, sizeof direct, page * 4096));
    check_bytes("arguments.mmap_contents", direct, where, sizeof direct);
    check_fails("arguments.mmap_protection", EFAULT, pread(fd, where, 1, 0));
    int ends[2];
    check_works("arguments.pipe", pipe(ends));
    check_fails("arguments.mmap_length", EFAULT, write(ends[1], where + 4096, 1));
    check_equal("arguments.mmap_readable", 4096, write(ends[1], where, 4096));
    close(ends[0]);
    close(ends[1]);
    munmap(where, 4096);
}

int open_data(uint64_t* size) {
    int fd = open("/run/mello/data/args", O_RDONLY);
    if (fd < 0) {
        static char bytes[65000];
        Sequence(1).fill(bytes, sizeof bytes);
        fd = open("/tmp/args.default", O_RDWR | O_CREAT | O_TRUNC, 0600);
        if (write(fd, bytes, sizeof bytes) != sizeof bytes) return -1;
        unlink("/tmp/args.default");
    }
    struct stat info;
    if (fstat(fd, &info) != 0) return -1;
    *size = info.st_size;
    return fd;
}

}  // namespace

int main(int, char** arguments) {
    const char* mode = arguments[1] == nullptr ? "" : arguments[1];
    if (strcmp(mode, "storm") == 0) return storm();
    if (strcmp(mode, "watch") == 0) return watch();
    uint64_t seed = host_number("args_seed", 1), size = 0;
    int fd = open_data(&size);
    if (check_works("open_data", fd)) {
        test_registers(seed, fd);
        test_pieces(fd, size, seed);
        test_six_arguments(fd, size);
    }
    test_numbers();
    test_bases();
    test_traps();
    return check_summary("calls");
}
