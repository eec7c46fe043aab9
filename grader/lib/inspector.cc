#include "grader/lib/inspector.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "grader/lib/symbols.h"

namespace {

constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kLarge = 1 << 7, kGlobal = 1 << 8;
constexpr uint64_t kNoExecute = 1ull << 63;
constexpr uint64_t kAddressMask = 0x000ffffffffff000;
constexpr uint64_t kPaging = 1ull << 31;  // CR0.PG
constexpr uint64_t kSignExtension = 0xffff000000000000;

// "NAME=hex" or "NAME =hex" in the monitor's register dump.
uint64_t field(const std::string& text, const std::string& name) {
    for (size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
        bool starts = at == 0 || text[at - 1] == ' ' || text[at - 1] == '\n';
        size_t equals = text.find_first_not_of(' ', at + name.size());
        if (starts && equals != text.npos && text[equals] == '=') {
            return strtoull(text.c_str() + equals + 1, nullptr, 16);
        }
    }
    return 0;
}

// "TR =0040 ffffffff80123000 00000067 00008900": the numbers behind the equals sign.
std::array<uint64_t, 3> segment(const std::string& text, const std::string& name) {
    std::array<uint64_t, 3> numbers{};
    size_t at = text.find("\n" + name);
    if (at == text.npos) return numbers;
    const char* cursor = strchr(text.c_str() + at, '=');
    for (uint64_t& number : numbers) {
        if (cursor == nullptr) break;
        char* end;
        number = strtoull(cursor + 1, &end, 16);
        cursor = *end == ' ' ? end : nullptr;
        while (cursor != nullptr && cursor[1] == ' ') ++cursor;
    }
    return numbers;
}

CpuState parse_cpu(int id, const std::string& text) {
    CpuState state{};
    state.id = id;
    state.halted = field(text, "HLT") != 0;
    state.ring = static_cast<int>(field(text, "CPL"));
    // Outside long mode QEMU prints the 32-bit names.
    bool wide = text.find("RIP=") != text.npos;
    state.rip = field(text, wide ? "RIP" : "EIP");
    state.rsp = field(text, wide ? "RSP" : "ESP");
    state.rbp = field(text, wide ? "RBP" : "EBP");
    state.rflags = field(text, "RFL");
    state.cr0 = field(text, "CR0");
    state.cr2 = field(text, "CR2");
    state.cr3 = field(text, "CR3");
    state.cr4 = field(text, "CR4");
    state.efer = field(text, "EFER");
    state.cs = static_cast<uint16_t>(segment(text, "CS")[0]);
    state.ss = static_cast<uint16_t>(segment(text, "SS")[0]);
    state.fs_base = segment(text, "FS")[1];
    state.gs_base = segment(text, "GS")[1];
    auto task = segment(text, "TR");
    state.tr = static_cast<uint16_t>(task[0]);
    state.tss_base = task[1];
    state.tss_limit = static_cast<uint32_t>(task[2]);
    auto gdt = segment(text, "GDT"), idt = segment(text, "IDT");
    state.gdt_base = gdt[0];
    state.gdt_limit = static_cast<uint32_t>(gdt[1]);
    state.idt_base = idt[0];
    state.idt_limit = static_cast<uint32_t>(idt[1]);
    return state;
}

}  // namespace

Inspector::Inspector(const fs::path& qmp_socket, const fs::path& gdb_socket, int cpus)
    : gdb_socket_(gdb_socket), qmp_(qmp_socket), cpus_(cpus) {}

GdbClient& Inspector::gdb() {
    if (!gdb_) gdb_ = std::make_unique<GdbClient>(gdb_socket_);
    stopped_ = true;
    return *gdb_;
}

void Inspector::stop() {
    if (stopped_) return;
    if (gdb_) {
        gdb_->stop();
    } else {
        gdb();
    }
    stopped_ = true;
}

void Inspector::resume() {
    if (gdb_ && stopped_) gdb_->resume();
    stopped_ = false;
}

std::string Inspector::monitor(const std::string& command) { return qmp_.monitor(command); }

void Inspector::inject_nmi() { qmp_.execute("inject-nmi"); }

std::vector<CpuState> Inspector::cpus() {
    stop();
    std::string text = qmp_.monitor("info registers -a");
    std::vector<CpuState> states;
    for (int id = 0; id < cpus_; ++id) {
        size_t start = text.find("CPU#" + std::to_string(id));
        if (start == text.npos) continue;
        size_t end = text.find("\nCPU#", start + 1);
        CpuState state = parse_cpu(id, text.substr(start, end - start));
        state.kernel_gs_base = gdb_->read_register(id, 26);
        states.push_back(state);
    }
    return states;
}

CpuState Inspector::cpu(int id) {
    std::vector<CpuState> all = cpus();
    for (const CpuState& state : all) {
        if (state.id == id) return state;
    }
    throw InfraError("the machine has no CPU " + std::to_string(id));
}

bool Inspector::read_physical(uint64_t address, void* out, size_t size) {
    stop();
    return gdb_->read_physical(address, out, size);
}

bool Inspector::write_physical(uint64_t address, const void* data, size_t size) {
    stop();
    return gdb_->write_physical(address, data, size);
}

bool Inspector::read_virtual(int cpu, uint64_t address, void* out, size_t size) {
    stop();
    return gdb_->read_virtual(cpu, address, out, size);
}

bool Inspector::read_space(uint64_t cr3, uint64_t address, void* out, size_t size) {
    auto* bytes = static_cast<char*>(out);
    while (size > 0) {
        size_t part = std::min<size_t>(size, 4096 - address % 4096);
        std::optional<Mapping> page = translate(cr3, address);
        if (!page || !read_physical(page->physical + (address - page->start), bytes, part)) {
            return false;
        }
        address += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool Inspector::write_space(uint64_t cr3, uint64_t address, const void* data, size_t size) {
    std::optional<Mapping> page = translate(cr3, address);
    return page && write_physical(page->physical + (address - page->start), data, size);
}

std::optional<Mapping> Inspector::translate(uint64_t cr3, uint64_t address) {
    Mapping result{};
    result.write = result.user = result.execute = true;
    uint64_t table = cr3 & kAddressMask;
    for (int shift = 39; shift >= 12; shift -= 9) {
        uint64_t entry;
        uint64_t index = address >> shift & 511;
        if (!read_physical(table + index * 8, &entry, 8) || !(entry & kPresent)) return {};
        result.write &= (entry & kWrite) != 0;
        result.user &= (entry & kUser) != 0;
        result.execute &= (entry & kNoExecute) == 0;
        bool leaf = shift == 12 || (shift < 39 && (entry & kLarge) != 0);
        if (leaf) {
            result.page_size = 1ull << shift;
            result.start = address & ~(result.page_size - 1);
            result.end = result.start + result.page_size;
            result.physical = entry & kAddressMask & ~(result.page_size - 1);
            result.global = (entry & kGlobal) != 0;
            result.entry = entry;
            return result;
        }
        table = entry & kAddressMask;
    }
    return {};
}

namespace {

// Walks whole tables, one read each, so that 4 KiB mappings of megabytes stay quick.
struct Walk {
    Inspector& inspector;
    uint64_t start, last;  // inclusive
    std::vector<Mapping> found;

    void table(uint64_t physical, int shift, uint64_t base, bool write, bool user, bool execute) {
        uint64_t entries[512];
        if (!inspector.read_physical(physical, entries, sizeof entries)) return;
        for (uint64_t i = 0; i < 512; ++i) {
            uint64_t entry = entries[i];
            uint64_t address = base + (i << shift);
            if (shift == 39 && i >= 256) address |= kSignExtension;
            if (!(entry & kPresent) || address > last ||
                address + ((1ull << shift) - 1) < start) {
                continue;
            }
            bool w = write && (entry & kWrite), u = user && (entry & kUser);
            bool x = execute && !(entry & kNoExecute);
            if (shift == 12 || (shift < 39 && (entry & kLarge))) {
                add(entry, address, 1ull << shift, w, u, x);
            } else {
                table(entry & kAddressMask, shift - 9, address, w, u, x);
            }
        }
    }

    void add(uint64_t entry, uint64_t address, uint64_t size, bool w, bool u, bool x) {
        Mapping page{address, address + size, entry & kAddressMask & ~(size - 1), size, w, u, x,
                     (entry & kGlobal) != 0, entry};
        if (!found.empty()) {
            Mapping& before = found.back();
            if (before.end == page.start && before.page_size == size &&
                before.physical + (before.end - before.start) == page.physical &&
                before.write == w && before.user == u && before.execute == x &&
                before.global == page.global) {
                before.end = page.end;
                return;
            }
        }
        found.push_back(page);
    }
};

}  // namespace

std::vector<Mapping> Inspector::mappings(uint64_t cr3, uint64_t start, uint64_t end) {
    Walk walk{*this, start, end - 1, {}};
    walk.table(cr3 & kAddressMask, 39, 0, true, true, true);
    return walk.found;
}

uint64_t Inspector::read_msr(int cpu, uint32_t number) {
    stop();
    constexpr int kRax = 0, kRcx = 2, kRdx = 3, kRip = 16;
    constexpr unsigned char kRdmsr[2] = {0x0f, 0x32};
    uint64_t rip = gdb_->read_register(cpu, kRip);
    if (!is_kernel_address(rip)) throw InfraError("read_msr: the CPU is not in the kernel");
    uint64_t rax = gdb_->read_register(cpu, kRax), rcx = gdb_->read_register(cpu, kRcx),
             rdx = gdb_->read_register(cpu, kRdx);
    unsigned char saved[2];
    if (!gdb_->read_virtual(cpu, rip, saved, 2) || !gdb_->write_virtual(cpu, rip, kRdmsr, 2)) {
        throw InfraError("read_msr: cannot patch the kernel");
    }
    gdb_->write_register(cpu, kRcx, number);
    gdb_->step(cpu);
    uint64_t value = (gdb_->read_register(cpu, kRax) & 0xffffffff) |
                     gdb_->read_register(cpu, kRdx) << 32;
    gdb_->write_virtual(cpu, rip, saved, 2);
    gdb_->write_register(cpu, kRax, rax);
    gdb_->write_register(cpu, kRcx, rcx);
    gdb_->write_register(cpu, kRdx, rdx);
    gdb_->write_register(cpu, kRip, rip);
    return value;
}

int Inspector::run_to(uint64_t address, double seconds) {
    stop();
    gdb_->set_breakpoint(address);
    int cpu = gdb_->resume_until_break(seconds);
    gdb_->remove_breakpoint(address);
    stopped_ = true;
    return cpu;
}

void Inspector::step(int cpu) {
    stop();
    gdb_->step(cpu);
}

uint64_t Inspector::read_register(int cpu, int number) {
    stop();
    return gdb_->read_register(cpu, number);
}

void Inspector::write_register(int cpu, int number, uint64_t value) {
    stop();
    gdb_->write_register(cpu, number, value);
}

namespace {

std::string backtrace(Inspector& inspector, const CpuState& cpu, const Symbols& symbols) {
    std::string text;
    uint64_t frame = cpu.rbp;
    for (int depth = 0; depth < 12 && is_kernel_address(frame) && frame % 8 == 0; ++depth) {
        uint64_t pair[2];
        if (!inspector.read_virtual(cpu.id, frame, pair, sizeof pair)) break;
        if (!is_kernel_address(pair[1])) break;
        text += "      from " + symbols.describe(pair[1] - 1) + "\n";
        if (pair[0] <= frame) break;
        frame = pair[0];
    }
    return text;
}

}  // namespace

std::string describe_cpus(Inspector& inspector, const Symbols& symbols) {
    constexpr int kSamples = 4;
    std::map<int, int> halted;
    std::map<int, std::set<std::string>> places;
    std::vector<CpuState> last;
    for (int sample = 0; sample < kSamples; ++sample) {
        last = inspector.cpus();
        for (const CpuState& cpu : last) {
            halted[cpu.id] += cpu.halted;
            std::string function = is_kernel_address(cpu.rip) ? symbols.function(cpu.rip) : "";
            places[cpu.id].insert(function.empty() ? hex(cpu.rip) : function);
        }
        if (sample + 1 < kSamples) {
            inspector.resume();
            sleep_seconds(0.03);
        }
    }
    std::string text;
    bool all_halted = true, any_kernel_spin = false;
    for (const CpuState& cpu : last) {
        bool idle = halted[cpu.id] == kSamples;
        bool masked = idle && (cpu.rflags & 0x200) == 0 && cpu.ring == 0;
        all_halted &= idle;
        text += "  CPU " + std::to_string(cpu.id) + ": ";
        if (idle && (cpu.cr0 & kPaging) == 0) {
            text += "not started by the kernel\n";
            continue;
        }
        if (idle) {
            text += masked ? "halted with interrupts off, for good, in " : "idle (halted) in ";
            text += symbols.describe(cpu.rip) + "\n";
            if (masked) text += backtrace(inspector, cpu, symbols);
            continue;
        }
        if (cpu.ring == 3) {
            text += "busy in a user program at " + hex(cpu.rip) + "\n";
            continue;
        }
        bool off = (cpu.rflags & 0x200) == 0;
        any_kernel_spin |= off;
        text += std::string("busy in the kernel") + (off ? ", interrupts off, at " : " at ") +
                symbols.describe(cpu.rip) + "\n";
        if (places[cpu.id].size() > 1) {
            text += "      seen also:";
            for (const std::string& place : places[cpu.id]) text += " " + place;
            text += "\n";
        }
        text += backtrace(inspector, cpu, symbols);
    }
    std::string verdict =
        all_halted        ? "deadlock, or a long sleep: every CPU is idle\n"
        : any_kernel_spin ? "livelock: a CPU spins in the kernel with interrupts off\n"
                          : "livelock or endless work: CPUs are busy\n";
    return verdict + text;
}
