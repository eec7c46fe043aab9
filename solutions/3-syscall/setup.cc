// Lab 3: the model-specific registers behind SYSCALL and SYSRETQ (AMD APM vol. 2, 6.1.1;
// Intel SDM vol. 3, 5.8.8). Every CPU has its own set.
//
// STAR holds two selector bases. SYSCALL loads CS from bits 47:32 and SS from that + 8.
// SYSRETQ loads SS from bits 63:48 + 8 and CS from that + 16; RPL 3 must be given for AMD
// CPUs, Intel's force it. With USER_CS32 as base this fits the order of the GDT.
//
// SFMASK names the flags that are cleared on entry. IF: no interrupt may come between
// SYSCALL and the change of stack. TF: a user's single step must not trap in the entry. DF:
// C++ code expects it clear. AC: it would switch SMAP off. NT: an IRETQ would fault. IOPL:
// the kernel does not care, but clean is clean.
//
// Handout: handouts/3-syscall.md. Contract: kernel/syscall/syscall.h.
#include "kernel/arch/x86.h"
#include "kernel/syscall/syscall.h"

namespace {

constexpr uint64_t kFlagTf = 1 << 8, kFlagIf = 1 << 9, kFlagDf = 1 << 10, kFlagsIopl = 3 << 12,
                   kFlagNt = 1 << 14, kFlagAc = 1 << 18;

}  // namespace

void syscall_init_cpu() {
    constexpr uint64_t kSysretBase = USER_CS32 | 3;
    x86::wrmsr(x86::kMsrStar, (kSysretBase << 48) | (uint64_t{KERNEL_CS} << 32));
    x86::wrmsr(x86::kMsrLstar, reinterpret_cast<uint64_t>(syscall_entry));
    x86::wrmsr(x86::kMsrSfmask, kFlagTf | kFlagIf | kFlagDf | kFlagsIopl | kFlagNt | kFlagAc);
    x86::wrmsr(x86::kMsrEfer, x86::rdmsr(x86::kMsrEfer) | x86::kEferSce);
}
