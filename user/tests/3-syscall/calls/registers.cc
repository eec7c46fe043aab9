#include "user/tests/3-syscall/calls/calls.h"

namespace {

constexpr uint64_t kAlwaysSet = 0x202;        // IF and the reserved bit
constexpr uint64_t kArithmeticFlags = 0x8d5;  // CF PF AF ZF SF OF
constexpr uint64_t kDirection = 0x400, kNested = 0x4000, kAlignment = 0x40000;
constexpr uint64_t kResume = 0x10000;

}  // namespace

uint64_t probed_call(const char* name, Sequence& random, uint64_t number, uint64_t a, uint64_t b,
                     uint64_t c, uint64_t d, Where where) {
    random.fill(&probe_in, sizeof probe_in);
    probe_in.rax = number;
    probe_in.rdi = a;
    probe_in.rsi = b;
    probe_in.rdx = c;
    probe_in.r10 = d;
    uint64_t choosable = kArithmeticFlags | kDirection | kNested | kAlignment;
    probe_in.rflags = kAlwaysSet | (random.next() & choosable);
    probe_syscall();

    struct {
        const char* name;
        uint64_t expected, got;
    } const rows[] = {
        {"rbx", probe_in.rbx, probe_out.rbx},
        {"rdx", probe_in.rdx, probe_out.rdx},
        {"rsi", probe_in.rsi, probe_out.rsi},
        {"rdi", probe_in.rdi, probe_out.rdi},
        {"rbp", probe_in.rbp, probe_out.rbp},
        {"r8", probe_in.r8, probe_out.r8},
        {"r9", probe_in.r9, probe_out.r9},
        {"r10", probe_in.r10, probe_out.r10},
        {"r12", probe_in.r12, probe_out.r12},
        {"r13", probe_in.r13, probe_out.r13},
        {"r14", probe_in.r14, probe_out.r14},
        {"r15", probe_in.r15, probe_out.r15},
        {"rsp", probe_rsp_before, probe_rsp_after},
        {"rcx (return address)", reinterpret_cast<uint64_t>(probe_return_address),
         probe_out.rcx},
        {"r11 (flags)", probe_in.rflags, probe_out.r11 & ~kResume},
        {"rflags", probe_in.rflags, probe_out.rflags},
    };
    bool all_kept = true;
    for (const auto& row : rows) {
        if (row.expected == row.got) continue;
        all_kept = false;
        check_failed(name, where, "system call %ld: expected %s %#lx, got %#lx",
                     static_cast<long>(number), row.name, row.expected, row.got);
    }
    if (all_kept) check_passed(name);
    check_bytes(name, probe_in.xmm, probe_out.xmm, sizeof probe_in.xmm, where);
    return probe_out.rax;
}
