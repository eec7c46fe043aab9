// Panic: says as much as it can, then ends the machine.
//
// Nothing here may depend on something that can be broken. No lock is waited for (RawLock is
// bypassed), no memory is allocated, GS is checked before it is used. Output goes through
// the console that the log has; without one, or when the console itself is what fails, byte
// by byte to COM1 and to QEMU's debug port. A panic inside a panic prints its message and
// ends; a panic on a second CPU halts that CPU.
#include "kernel/arch/panic.h"

#include <iterator>

#include "kernel/arch/paging.h"
#include "kernel/arch/smp.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/uart.h"
#include "kernel/arch/x86.h"
#include "kernel/base/format.h"
#include "kernel/base/log.h"
#include "kernel/base/raw_lock.h"

namespace {

constexpr int kNobody = -1;
std::atomic<int> panicking_cpu{kNobody};
int depth;  // of panics on that CPU

// The running CPU's index. Before GS is set up its APIC id, usually the same.
int cpu_index() {
    uint64_t base = x86::rdmsr(x86::kMsrGsBase);
    for (uint32_t i = 0; i < kMaxCpus; i++) {
        if (base == reinterpret_cast<uint64_t>(&cpus[i])) return static_cast<int>(i);
    }
    return static_cast<int>(x86::cpuid(1).ebx >> 24);
}

// QEMU's debug console, and COM1 in whatever state it is.
void emergency_write(std::string_view text) {
    constexpr uint16_t kDebugPort = 0xe9, kCom1 = 0x3f8, kCom1LineStatus = 0x3fd;
    for (char c : text) {
        x86::outb(kDebugPort, static_cast<uint8_t>(c));
        for (int i = 0; i < 100000 && !(x86::inb(kCom1LineStatus) & 0x20); i++) {}
        x86::outb(kCom1, static_cast<uint8_t>(c));
    }
}

class PanicSink final : public TextSink {
  public:
    void write(std::string_view text) override {
        if (depth > 1 || !log_write_raw(text.data(), text.size())) emergency_write(text);
    }
};
PanicSink sink;

// ---- Pieces of the report ----

const char* const kLevelNames[] = {"", "PT", "PD", "PDPT", "PML4"};

// Calls visit(level, index, entry) from the PML4 down to the leaf, or to an entry that is not
// present; returns that one.
template <typename Visitor>
uint64_t walk_page_tables(VirtAddr address, Visitor visit) {
    uint64_t entry = x86::read_cr3();
    for (int level = 4; level >= 1; level--) {
        size_t index = address >> (kPageShift + 9 * (level - 1)) & 511;
        PhysAddr table = entry & pte::kAddressMask;
        entry = static_cast<const uint64_t*>(phys_to_virt(table))[index];
        visit(level, index, entry);
        if ((entry & pte::kPresent) == 0 || (level <= 3 && (entry & pte::kLarge))) break;
    }
    return entry;
}

bool is_mapped(VirtAddr address) {
    auto ignore = [](int, size_t, uint64_t) {};
    return is_canonical(address) && (walk_page_tables(address, ignore) & pte::kPresent);
}

void print_page_walk(VirtAddr address) {
    format(sink, "page walk of %#018lx, CR3 %#lx:\n", address, x86::read_cr3());
    if (!is_canonical(address)) return format(sink, "  not canonical\n");
    walk_page_tables(address, [](int level, size_t index, uint64_t entry) {
        auto flag = [entry](uint64_t bit, const char* name) {
            return (entry & bit) ? name : "";
        };
        format(sink, "  %-4s[%3lu] %#018lx%s%s%s%s%s%s%s%s\n", kLevelNames[level], index,
               entry, (entry & pte::kPresent) ? " present" : " not present",
               flag(pte::kWrite, " write"), flag(pte::kUser, " user"),
               flag(pte::kAccessed, " accessed"), flag(pte::kDirty, " dirty"),
               level == 2 || level == 3 ? flag(pte::kLarge, " large") : "",
               flag(pte::kGlobal, " global"), flag(pte::kNoExecute, " nx"));
    });
}

void print_address(VirtAddr address, VirtAddr lookup) {
    SymbolMatch match = find_symbol(kernel_symbols(), lookup);
    if (match.name == nullptr) return format(sink, "  [<%016lx>]\n", address);
    format(sink, "  [<%016lx>] %s+%#lx\n", address, match.name,
           match.offset + (address - lookup));
}

void print_backtrace(VirtAddr rip, VirtAddr rbp) {
    constexpr size_t kMaxDepth = 32;
    VirtAddr calls[kMaxDepth];
    format(sink, "backtrace:\n");
    if (rip != 0) print_address(rip, rip);
    auto readable = [](VirtAddr frame) {
        return frame >= kVmapBase && frame + 15 > frame && is_mapped(frame) &&
               is_mapped(frame + 15);
    };
    size_t count = walk_stack(rbp, readable, calls);
    // A return address lies after the call: look up the byte before it.
    for (size_t i = 0; i < count; i++) print_address(calls[i], calls[i] - 1);
}

// In the order of the frame.
void print_registers(const TrapFrame& frame) {
    constexpr const char* kNames[] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                      "r9",  "r8",  "rax", "rcx", "rdx", "rsi", "rdi", "vector",
                                      "error", "rip", "cs", "rflags", "rsp", "ss"};
    const auto* value = reinterpret_cast<const uint64_t*>(&frame);
    for (size_t i = 0; i < std::size(kNames); i++)
        format(sink, "%-3s %016lx%s", kNames[i], value[i], i % 4 == 3 ? "\n" : "  ");
    format(sink, "\n");
}

// After the message: the state of the machine, and how it got there. `frame`: the trap that
// is the cause, or nullptr.
[[noreturn]] void end_panic(const TrapFrame* frame, VirtAddr rip, VirtAddr rbp) {
    format(sink, "\n");
    if (depth > 1) machine_power_off(kExitPanic);
    uint64_t microseconds = monotonic_ns() / 1000;
    format(sink, "CPU %d, %lu.%06lu s after boot\n", panicking_cpu.load(),
           microseconds / 1000000, microseconds % 1000000);
    if (frame != nullptr) print_registers(*frame);
    format(sink, "cr0 %08lx  cr2 %016lx  cr3 %016lx  cr4 %08lx\n", x86::read_cr0(),
           x86::read_cr2(), x86::read_cr3(), x86::read_cr4());
    if (frame != nullptr && frame->vector == kVectorPageFault) print_page_walk(x86::read_cr2());
    print_backtrace(rip, rbp);
    machine_power_off(kExitPanic);
}

// Makes this CPU the one that reports. Does not return when another one is at it.
void begin_panic() {
    x86::cli();
    int self = cpu_index();
    int expected = kNobody;
    if (!panicking_cpu.compare_exchange_strong(expected, self) && expected != self) {
        for (;;) x86::hlt();
    }
    if (++depth > 2) machine_power_off(kExitPanic);
    RawLock::bypass_all();
    if (depth == 1) ipi_stop_others();
    // At the start of a line, whatever was being printed.
    format(sink, "\nPANIC%s: ", depth == 1 ? "" : " in a panic");
}

constexpr const char* kExceptions[] = {
    "division error (#DE)", "debug (#DB)", "NMI (NMI)", "breakpoint (#BP)", "overflow (#OF)",
    "bound range exceeded (#BR)", "invalid opcode (#UD)", "no FPU (#NM)", "double fault (#DF)",
    "coprocessor overrun (9)", "invalid TSS (#TS)", "segment not present (#NP)",
    "stack fault (#SS)", "general protection (#GP)", "page fault (#PF)", "reserved (15)",
    "x87 FPU error (#MF)", "alignment check (#AC)", "machine check (#MC)", "SIMD error (#XM)",
    "virtualization (#VE)", "control protection (#CP)",
};

void print_cause(const TrapFrame& frame) {
    bool known = frame.vector < std::size(kExceptions);
    if (known) format(sink, "%s", kExceptions[frame.vector]);
    else format(sink, "exception %lu", frame.vector);
    format(sink, " in %s mode at %#lx, error %#lx", frame.from_user() ? "user" : "kernel",
           frame.rip, frame.error);
    if (frame.vector == kVectorPageFault) {
        // Error code bits: Intel SDM vol. 3, 4.7.
        bool present = frame.error & 1, write = frame.error & 2, fetch = frame.error & 16;
        format(sink, ": %s %#lx, %s", fetch ? "execute" : write ? "write" : "read",
               x86::read_cr2(), present ? "not allowed" : "not mapped");
    }
}

// ---- The end of the machine, wherever it runs ----

// A byte still in the UART would be lost with the machine (Bochs, hardware).
void drain_serial_ports() {
    constexpr uint8_t kAllSent = 1 << 6;  // LSR.TEMT
    for (uint16_t port : kUartPorts) {
        for (int i = 0; i < 1000000 && !(x86::inb(port + 5) & kAllSent); i++) x86::pause();
    }
}

}  // namespace

uint16_t acpi_power_port;

// Each way is harmless where it does not exist.
void machine_power_off(uint8_t status) {
    x86::cli();
    drain_serial_ports();
    constexpr uint16_t kQemuDebugExit = 0xf4, kBochsShutdown = 0x8900;
    x86::outl(kQemuDebugExit, status);
    for (const char* c = "Shutdown"; *c != '\0'; c++)
        x86::outb(kBochsShutdown, static_cast<uint8_t>(*c));
    // The value for S5 stands in the DSDT's byte code: QEMU takes 0 as sleep type.
    // Bochs has its own port, above; real machines may want another value.
    constexpr uint16_t kSleepEnable = 1 << 13;
    if (acpi_power_port != 0) x86::outw(acpi_power_port, kSleepEnable);
    for (;;) x86::hlt();
}

void machine_reboot() {
    x86::cli();
    drain_serial_ports();
    // The keyboard controller pulses the reset line.
    constexpr uint16_t kKeyboardCommand = 0x64;
    constexpr uint8_t kPulseReset = 0xfe;
    x86::outb(kKeyboardCommand, kPulseReset);
    for (;;) x86::hlt();
}

// Bounds set by the linker script; empty in the first link.
extern "C" const Symbol symbol_table_start[], symbol_table_end[];

std::span<const Symbol> kernel_symbols() {
    return {symbol_table_start, static_cast<size_t>(symbol_table_end - symbol_table_start)};
}

bool is_kernel_stack(VirtAddr frame) {
    const VirtAddr top = this_cpu().kernel_rsp;
    return frame >= top - kKernelStackSize && frame <= top - 16;
}

void panic(const char* message, ...) {
    begin_panic();
    va_list args;
    va_start(args, message);
    vformat(sink, message, args);
    va_end(args);
    end_panic(nullptr, 0, reinterpret_cast<VirtAddr>(__builtin_frame_address(0)));
}

void panic_trap(TrapFrame& frame, const char* why) {
    begin_panic();
    print_cause(frame);
    if (why != nullptr) format(sink, ": %s", why);
    end_panic(&frame, frame.rip, frame.rbp);
}

bool panic_stops_this_cpu() {
    int reporter = panicking_cpu.load();
    return reporter != kNobody && reporter != cpu_index();
}
