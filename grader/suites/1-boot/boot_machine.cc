// Lab 1, the machine as the kernel set it up: control registers, GDT, TSS, IDT, page rights,
// read from outside while a program waits on a machine of four CPUs; and what depends on
// them: exceptions of programs, NMIs at any moment.
#include <cstring>
#include <set>

#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("machine_seed", 1, 1ull << 62);
const std::string kBlob = Sequence(kSeed).bytes(6000);
constexpr uint64_t kUserTop = 0x00007ffffffff000;
constexpr int kCpus = 4;

// kernel/arch/asm_offsets.h
constexpr uint16_t kKernelCs = 0x08, kKernelDs = 0x10, kUserCs32 = 0x18, kUserDs = 0x20,
                   kUserCs = 0x28, kTss = 0x30;

std::string on_cpu(int cpu, const char* what) {
    return "cpu" + std::to_string(cpu) + "." + what;
}

// ---- Descriptor tables ----

struct Problems {
    std::string text;
    void add(const std::string& one) { text += one + "\n"; }
    void expect(bool held, const std::string& one) {
        if (!held) add(one);
    }
};

// A segment descriptor without its base and limit (Intel SDM vol. 3, 3.4.5): type with S,
// DPL, present; and the L and D bits.
struct Segment {
    uint16_t selector;
    const char* name;
    unsigned access, long_and_default;  // bits 40-47; bits 53-54
};
constexpr unsigned kLong = 1, kDefault32 = 2;
constexpr Segment kSegments[] = {{kKernelCs, "kernel code", 0x9a, kLong},
                                 {kKernelDs, "kernel data", 0x92, 0},
                                 {kUserCs32, "user code, 32-bit", 0xfa, kDefault32},
                                 {kUserDs, "user data", 0xf2, 0},
                                 {kUserCs, "user code", 0xfa, kLong}};

uint64_t word(Inspection& at, const CpuState& cpu, uint64_t address, Problems& problems) {
    uint64_t value = 0;
    if (!at.machine.read_space(cpu.cr3, address, &value, sizeof value)) {
        problems.add("cannot read " + hex(address) + " through CPU " + std::to_string(cpu.id) +
                     "'s page tables");
    }
    return value;
}

std::string check_gdt(Inspection& at, const std::vector<CpuState>& cpus) {
    Problems problems;
    std::set<uint64_t> bases;
    for (const CpuState& cpu : cpus) {
        std::string prefix = "CPU " + std::to_string(cpu.id) + ": ";
        problems.expect(bases.insert(cpu.gdt_base).second,
                        prefix + "shares its GDT with another CPU (the TSS cannot be shared)");
        problems.expect(cpu.gdt_limit >= kTss + 15u,
                        prefix + "GDT limit " + hex(cpu.gdt_limit) + " cuts the TSS descriptor");
        for (const Segment& segment : kSegments) {
            uint64_t entry = word(at, cpu, cpu.gdt_base + segment.selector, problems);
            auto access = static_cast<unsigned>(entry >> 40 & 0xfe);  // without "accessed"
            auto mode = static_cast<unsigned>(entry >> 53 & 1) |
                        static_cast<unsigned>(entry >> 54 & 1) << 1;
            bool code = (segment.access & 8) != 0;
            problems.expect(access == segment.access,
                            prefix + segment.name + " (selector " + hex(segment.selector) +
                                "): access byte " + hex(access) + ", expected " +
                                hex(segment.access));
            problems.expect(!code || mode == segment.long_and_default,
                            prefix + segment.name + ": wrong L or D bit");
        }
        problems.expect((cpu.tr & ~7) == kTss, prefix + "TR holds " + hex(cpu.tr));
        uint64_t low = word(at, cpu, cpu.gdt_base + kTss, problems);
        uint64_t high = word(at, cpu, cpu.gdt_base + kTss + 8, problems);
        uint64_t base = (low >> 16 & 0xffffff) | (low >> 56 & 0xff) << 24 | high << 32;
        uint64_t limit = (low & 0xffff) | (low >> 48 & 0xf) << 16;
        problems.expect((low >> 40 & 0xff) == 0x8b,
                        prefix + "TSS descriptor: access byte " + hex(low >> 40 & 0xff) +
                            ", expected 0x8b (present, DPL 0, busy 64-bit TSS)");
        problems.expect(base == cpu.tss_base && is_kernel_address(base),
                        prefix + "TSS descriptor: base " + hex(base) + " is not all 64 bits of a "
                                                                       "kernel address");
        problems.expect(limit >= 103, prefix + "TSS limit " + std::to_string(limit) +
                                          ", a 64-bit TSS has 104 bytes");
    }
    return problems.text;
}

// The stack that ends at `top` must be the kernel's to write, and its own.
void check_stack(Inspection& at, const CpuState& cpu, uint64_t top, const std::string& name,
                 std::set<uint64_t>& seen, Problems& problems) {
    problems.expect(top % 16 == 0, name + " " + hex(top) + " is not 16-byte aligned");
    problems.expect(seen.insert(top).second, name + " " + hex(top) + " is used twice");
    auto page = at.machine.translate(cpu.cr3, top - 8);
    problems.expect(page && page->write && !page->user && !page->execute,
                    name + " " + hex(top) + " does not end a mapped kernel stack");
}

std::string check_tss(Inspection& at, const std::vector<CpuState>& cpus) {
    constexpr uint64_t kDoubleFault = 1, kDebug = 4;
    Problems problems;
    std::set<uint64_t> stacks;
    uint64_t array = at.symbols.address("cpus");
    uint64_t step = 0;
    for (const CpuState& cpu : cpus) {
        std::string prefix = "CPU " + std::to_string(cpu.id) + ": ";
        auto field = [&](unsigned offset) {
            return word(at, cpu, cpu.tss_base + offset, problems);
        };
        // RSP0 matters where user mode runs; an idle CPU's may be stale.
        if (cpu.ring == 3) {
            check_stack(at, cpu, field(4), prefix + "RSP0", stacks, problems);
        }
        for (uint64_t ist = kDoubleFault; ist <= kDebug; ++ist) {
            uint64_t top = field(static_cast<unsigned>(36 + 8 * (ist - 1)));
            std::string name = prefix + "IST" + std::to_string(ist);
            check_stack(at, cpu, top, name, stacks, problems);
            uint64_t owner = word(at, cpu, top, problems);
            if (cpu.id == 1 && ist == 1) step = owner - array;
            problems.expect(owner == array + step * static_cast<uint64_t>(cpu.id),
                            name + ": the 8 bytes above the stack hold " + hex(owner) +
                                ", not the address of this CPU's Cpu");
        }
        uint64_t io = field(100) >> 16 & 0xffff;
        problems.expect(io >= cpu.tss_limit, prefix + "the TSS opens I/O ports to user mode "
                                                      "(I/O map base " + hex(io) + ")");
        uint64_t gs = cpu.ring == 3 ? cpu.kernel_gs_base : cpu.gs_base;
        problems.expect(gs == array + step * static_cast<uint64_t>(cpu.id),
                        prefix + "GS base of the kernel is " + hex(gs));
    }
    return problems.text;
}

std::string check_idt(Inspection& at, const std::vector<CpuState>& cpus) {
    Problems problems;
    const CpuState& first = cpus[0];
    uint64_t entries = at.symbols.address("trap_entry_points");
    for (const CpuState& cpu : cpus) {
        problems.expect(cpu.idt_base == first.idt_base && cpu.idt_limit == 4095,
                        "CPU " + std::to_string(cpu.id) + ": IDT at " + hex(cpu.idt_base) +
                            ", limit " + hex(cpu.idt_limit) + "; one of 256 gates for all CPUs");
    }
    std::map<unsigned, unsigned> ists = {{8, 1}, {2, 2}, {18, 3}, {1, 4}};
    for (unsigned vector = 0; vector < 256 && problems.text.size() < 1500; ++vector) {
        uint64_t low = word(at, first, first.idt_base + 16 * vector, problems);
        uint64_t high = word(at, first, first.idt_base + 16 * vector + 8, problems);
        uint64_t target = (low & 0xffff) | (low >> 48) << 16 | (high & 0xffffffff) << 32;
        uint64_t expected = word(at, first, entries + 8 * vector, problems);
        auto type = static_cast<unsigned>(low >> 40 & 0x9f);
        auto dpl = static_cast<unsigned>(low >> 45 & 3), ist = static_cast<unsigned>(low >> 32 & 7);
        std::string gate = "vector " + std::to_string(vector) + ": ";
        problems.expect(target == expected, gate + "leads to " + at.symbols.describe(target) +
                                                ", not to trap_entry_points[" +
                                                std::to_string(vector) + "]");
        problems.expect(type == 0x8e, gate + "type " + hex(type) + ", expected 0x8e: a present "
                                             "interrupt gate");
        problems.expect((low >> 16 & 0xffff) == kKernelCs, gate + "wrong code selector");
        problems.expect(dpl == (vector == 3 || vector == 4 ? 3 : 0),
                        gate + "DPL " + std::to_string(dpl));
        problems.expect(ist == ists[vector], gate + "IST " + std::to_string(ist) + ", expected " +
                                                 std::to_string(ists[vector]));
    }
    return problems.text;
}

// ---- Page rights ----

std::string check_rights(Inspection& at, const std::vector<CpuState>& cpus) {
    Problems problems;
    for (const CpuState& cpu : cpus) {
        std::string prefix = "CPU " + std::to_string(cpu.id) + ": ";
        for (const Mapping& range : at.machine.mappings(cpu.cr3, 0, kUserTop)) {
            problems.expect(range.user, prefix + "kernel mapping left in the lower half at " +
                                            hex(range.start) + "-" + hex(range.end) +
                                            ": a null pointer would read memory");
        }
    }
    uint64_t start = at.symbols.address("kernel_start"), end = at.symbols.address("kernel_end");
    for (const Mapping& range : at.machine.mappings(cpus[0].cr3, start, end)) {
        problems.expect(!range.user && !(range.write && range.execute),
                        "the kernel image at " + hex(range.start) +
                            " is writable and executable, or open to user mode");
    }
    return problems.text;
}

void look(Inspection& at) {
    std::vector<CpuState> cpus = at.machine.cpus();
    for (const CpuState& cpu : cpus) {
        at.numbers[on_cpu(cpu.id, "cr0")] = cpu.cr0;
        at.numbers[on_cpu(cpu.id, "cr4")] = cpu.cr4;
        at.numbers[on_cpu(cpu.id, "efer")] = cpu.efer;
    }
    at.texts["gdt"] = check_gdt(at, cpus);
    at.texts["tss"] = check_tss(at, cpus);
    at.texts["idt"] = check_idt(at, cpus);
    at.texts["rights"] = check_rights(at, cpus);
}

// NMIs while all CPUs work, at many moments.
void send_nmis(Inspection& at) {
    constexpr int kRounds = 150;
    for (int i = 0; i < kRounds; ++i) {
        at.machine.inject_nmi();
        at.machine.resume();
        sleep_seconds(0.002);
        at.numbers["nmis"]++;
    }
}

}  // namespace

#define STATE_TEST(suite, name)                                                        \
    GUEST_TEST(suite, name, .run = "/tests/1-boot/state", .cpus = kCpus,               \
               .data = {{"small", kBlob}}, .inspect = look)

STATE_TEST(Machine, control_registers_on_every_cpu) {
    for (int cpu = 0; cpu < kCpus; ++cpu) {
        uint64_t cr0 = guest.seen(on_cpu(cpu, "cr0")), cr4 = guest.seen(on_cpu(cpu, "cr4"));
        uint64_t efer = guest.seen(on_cpu(cpu, "efer"));
        EXPECT_EQ(cr0 & 0x80010033, 0x80010033u)
            << "CPU " << cpu << ", CR0: PG, WP, NE, ET, MP, PE; is " << hex(cr0);
        EXPECT_EQ(cr0 & 0x60000004, 0u)
            << "CPU " << cpu << ", CR0: caches on, no FPU emulation; is " << hex(cr0);
        EXPECT_EQ(cr4 & 0x3106a0, 0x3106a0u)
            << "CPU " << cpu << ", CR4: PAE, PGE, OSFXSR, OSXMMEXCPT, FSGSBASE, SMEP, SMAP; is "
            << hex(cr4);
        EXPECT_EQ(efer & 0xd00, 0xd00u) << "CPU " << cpu << ", EFER: LME, LMA, NXE; is " << hex(efer);
    }
    EXPECT_EQ(guest.text("blob_hash"), hex(hash_of(kBlob)));
}

STATE_TEST(Machine, segments_and_tss_descriptor) { EXPECT_EQ(guest.seen_text("gdt"), ""); }

STATE_TEST(Machine, stacks_in_the_tss) { EXPECT_EQ(guest.seen_text("tss"), ""); }

STATE_TEST(Machine, gates_of_the_idt) { EXPECT_EQ(guest.seen_text("idt"), ""); }

STATE_TEST(Machine, no_identity_map_and_no_writable_code) {
    EXPECT_EQ(guest.seen_text("rights"), "");
}

// ---- Exceptions and NMIs ----

namespace {

// As /tests/1-boot/exceptions makes it.
std::string resumed_hash() {
    Sequence with(kSeed);
    constexpr size_t kPages = 512;
    uint64_t hash = hash_of(""), kept[kPages];
    auto link = [&hash](uint64_t value) {
        char bytes[8];
        memcpy(bytes, &value, sizeof bytes);
        for (char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    };
    for (uint64_t& place : kept) {
        link(with.next());
        place = hash;
    }
    for (uint64_t value : kept) link(value);
    return hex(hash);
}

}  // namespace

#define EXCEPTION_TEST(name)                                               \
    GUEST_TEST(Exceptions, name, .run = "/tests/1-boot/exceptions", .cpus = kCpus, \
               .data = {{"exceptions_seed", std::to_string(kSeed)}}, .limit = 40)

EXCEPTION_TEST(without_error_code) { guest.expect_checks("plain"); }

EXCEPTION_TEST(with_error_code) { guest.expect_checks("coded"); }

EXCEPTION_TEST(gates_are_closed_to_programs) { guest.expect_checks("gates"); }

EXCEPTION_TEST(resumed_programs_notice_nothing) {
    EXPECT_EQ(guest.text("resumed_hash"), resumed_hash())
        << "a computation between page faults came out wrong";
}

GUEST_TEST(Exceptions, nmi_at_any_moment, .run = "/tests/1-boot/nmi", .cpus = kCpus,
           .data = {{"small", kBlob}}, .limit = 40, .inspect = send_nmis) {
    EXPECT_GE(guest.seen("nmis"), 150u);
    EXPECT_EQ(guest.text("nmi_hash"), hex(hash_of(kBlob)));
    guest.expect_checks();
}
