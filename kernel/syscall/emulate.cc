// SYSCALL for CPUs on which it is switched off, the slow way: the instruction raises #UD,
// and the handler does what the CPU would have done. It lets a kernel run programs before
// its lab 3 is built.
#include "kernel/arch/x86.h"
#include "kernel/mm/user_access.h"
#include "kernel/syscall/syscall.h"
#include "kernel/task/fault.h"

namespace {

// Returns false when the instruction is not SYSCALL (0f 05; AMD APM vol. 3), true when it
// was carried out. The trap frame takes the form that SYSCALL's entry would have given it, so
// that signals and fork see no difference.
bool emulate(TrapFrame& frame) {
    x86::sti();
    uint8_t instruction[2];
    auto copied = copy_from_user(instruction, frame.rip, sizeof instruction);
    if (!copied.ok() || instruction[0] != 0x0f || instruction[1] != 0x05) return false;
    frame.rip += sizeof instruction;
    frame.rcx = frame.rip;
    frame.r11 = frame.rflags;
    frame.vector = kSyscallVector;
    frame.error = frame.rax;
    syscall_dispatch(&frame);
    return true;
}

}  // namespace

void syscall_emulation_enable() { set_undefined_instruction_hook(emulate); }
