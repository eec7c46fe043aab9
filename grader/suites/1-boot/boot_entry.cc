// Lab 1, the way from the loader to kmain, watched from outside. The machine is stopped at
// the first instruction of start_pvh; memory that no loader promises to clear is filled with
// garbage there, and registers that none promises to set get random values. Then it runs to
// kmain, where the machine is what the contract says, or not.
#include "grader/suites/suite.h"

namespace {

constexpr uint64_t kKernelBase = 0xffffffff80000000, kDirectMap = 0xffff800000000000;
constexpr double kPatience = 20;  // seconds from the entry to kmain
constexpr int kRax = 0, kRbx = 1, kRcx = 2, kRdx = 3, kRsi = 4, kRdi = 5, kRbp = 6, kRsp = 7;
const std::string kBlob = Sequence(chosen("entry_seed", 1, 1ull << 62)).bytes(70000);

// What garbage is: the same at every call for the same place.
std::string garbage(uint64_t start, size_t size) {
    return Sequence(chosen("garbage", 1, 1ull << 62) ^ start).bytes(size);
}

void poison(Inspection& at, uint64_t start, uint64_t end) {
    for (uint64_t page = start; page < end; page += 4096) {
        std::string bytes = garbage(page, std::min<uint64_t>(4096, end - page));
        at.machine.write_physical(page, bytes.data(), bytes.size());
    }
}

// How many bytes of .bss are not zero; the boot page tables and stack are in use by now.
uint64_t bss_left_dirty(Inspection& at, uint64_t start, uint64_t end) {
    std::string now(end - start, 0);
    at.machine.read_physical(start, now.data(), now.size());
    uint64_t dirty = 0;
    for (uint64_t page = start; page < end; page += 4096) {
        std::string before = garbage(page, std::min<uint64_t>(4096, end - page));
        for (size_t i = 0; i < before.size(); ++i) {
            dirty += before[i] != 0 && now[page - start + i] == before[i];
        }
    }
    return dirty;
}

void look_at_kmain(Inspection& at) {
    auto physical = [&at](const char* name) { return at.symbols.address(name) - kKernelBase; };
    uint64_t bss_start = physical("bss_start"), bss_end = physical("bss_end");
    if (at.machine.run_to(physical("start_pvh"), kPatience) < 0) return;
    at.numbers["reached_start_pvh"] = 1;
    uint64_t info = at.machine.read_register(0, kRbx) & 0xffffffff;
    at.numbers["loader_info"] = info;
    Sequence random(chosen("registers", 1, 1ull << 62));
    for (int number : {kRax, kRcx, kRdx, kRsi, kRdi, kRbp, kRsp}) {
        at.machine.write_register(0, number, random.next() & 0xffffffff);
    }
    poison(at, bss_start, bss_end);
    uint64_t end = physical("kernel_end");
    poison(at, end, end + 0x40000);

    if (at.machine.run_to(at.symbols.address("kmain"), kPatience) < 0) return;
    CpuState cpu = at.machine.cpu(0);
    at.numbers["reached_kmain"] = 1;
    at.numbers["magic"] = at.machine.read_register(0, kRdi);
    at.numbers["info"] = at.machine.read_register(0, kRsi);
    at.numbers["rsp"] = cpu.rsp;
    at.numbers["rbp"] = cpu.rbp;
    at.numbers["cr0"] = cpu.cr0;
    at.numbers["cr4"] = cpu.cr4;
    at.numbers["efer"] = cpu.efer;
    at.numbers["rflags"] = cpu.rflags;
    at.numbers["stack_top"] = at.symbols.address("boot_stack_top");
    at.numbers["bss_dirty"] = bss_left_dirty(at, bss_start, bss_end);
    struct {
        const char* name;
        uint64_t address, physical;
    } const maps[] = {{"maps_identity", 0x100000, 0x100000},
                      {"maps_direct_low", kDirectMap + 0x100000, 0x100000},
                      {"maps_direct_high", kDirectMap + 0xfffff000, 0xfffff000},
                      {"maps_image", kKernelBase + 0x100000, 0x100000},
                      {"maps_image_end", kKernelBase + 0x3ffff000, 0x3ffff000}};
    for (const auto& map : maps) {
        auto page = at.machine.translate(cpu.cr3, map.address);
        at.numbers[map.name] =
            page && page->physical + (map.address - page->start) == map.physical;
    }
}

// A wrong magic number at the place that EBX points to.
void spoil_magic(Inspection& at) {
    uint64_t entry = at.symbols.address("start_pvh") - kKernelBase;
    if (at.machine.run_to(entry, kPatience) < 0) return;
    uint64_t info = at.machine.read_register(0, kRbx) & 0xffffffff;
    uint32_t wrong = 0x12345678;
    at.machine.write_physical(info, &wrong, sizeof wrong);
    at.numbers["spoiled"] = 1;
}

void need_kmain(const Guest& guest) {
    if (guest.seen_numbers.contains("reached_kmain")) return;
    bool entered = guest.seen_numbers.contains("reached_start_pvh");
    auto error = guest.seen_texts.find("at_reset");
    stop_test("FAIL", std::string(entered ? "the kernel was entered at start_pvh and did not "
                                            "come to kmain\n"
                                          : "the CPU did not come to start_pvh\n") +
                          (error == guest.seen_texts.end() ? "" : error->second + "\n") +
                          guest.diagnosis);
}

}  // namespace

// The crash form: what was seen on the way counts, even when the kernel fails later.
#define ENTRY_TEST(name)                                                                \
    GUEST_CRASH_TEST(Entry, name, .run = "/tests/1-boot/state", .data = {{"small", kBlob}}, \
                     .at_reset = look_at_kmain)

ENTRY_TEST(cpu_state_at_kmain) {
    need_kmain(guest);
    uint64_t cr0 = guest.seen("cr0"), cr4 = guest.seen("cr4");
    EXPECT_EQ(guest.seen("efer") & 0x500, 0x500u) << "EFER: long mode enabled and active";
    EXPECT_EQ(cr0 & 0x80010001, 0x80010001u) << "CR0: PG, WP and PE, is " << hex(cr0);
    EXPECT_EQ(cr0 & 0xc, 0u) << "CR0: EM and TS make SSE instructions fault, is " << hex(cr0);
    EXPECT_EQ(cr4 & 0x620, 0x620u) << "CR4: PAE, OSFXSR, OSXMMEXCPT, is " << hex(cr4);
    EXPECT_EQ(guest.seen("rflags") & 0x200, 0u) << "interrupts are on and there is no IDT yet";
    EXPECT_EQ(guest.seen("rflags") & 0x400, 0u) << "C++ code needs DF clear";
}

ENTRY_TEST(arguments_and_stack_at_kmain) {
    need_kmain(guest);
    EXPECT_EQ(hex(guest.seen("magic") & 0xffffffff), "0x336ec578")
        << "kmain's first argument: the magic number of PVH";
    EXPECT_EQ(hex(guest.seen("info") & 0xffffffff), hex(guest.seen("loader_info")))
        << "kmain's second argument: what the loader had in EBX (CPUID writes EBX)";
    EXPECT_EQ(guest.seen("rsp") % 16, 8u)
        << "RSP must be a multiple of 16 before the call, so 8 more at the first instruction; "
           "RSP is " << hex(guest.seen("rsp"));
    EXPECT_LE(guest.seen("stack_top") - guest.seen("rsp"), 4096u)
        << "kmain does not run on the boot stack: RSP is " << hex(guest.seen("rsp"));
    EXPECT_EQ(guest.seen("rbp"), 0u) << "the stack walk ends at a null frame pointer";
}

ENTRY_TEST(page_tables_at_kmain) {
    need_kmain(guest);
    EXPECT_EQ(guest.seen("maps_identity"), 1u) << "1 MiB is not mapped at its own address";
    EXPECT_EQ(guest.seen("maps_direct_low"), 1u) << "the direct map does not show 1 MiB";
    EXPECT_EQ(guest.seen("maps_direct_high"), 1u)
        << "the direct map does not reach 4 GiB: loader tables and devices lie there";
    EXPECT_EQ(guest.seen("maps_image"), 1u) << "the kernel image is not mapped at KERNEL_BASE";
    EXPECT_EQ(guest.seen("maps_image_end"), 1u) << "the first GiB is not mapped at KERNEL_BASE";
}

ENTRY_TEST(bss_is_cleared) {
    need_kmain(guest);
    // A byte that was written since (page tables, stack) may be the garbage's by chance.
    EXPECT_LT(guest.seen("bss_dirty"), 512u)
        << "bytes of .bss that still hold what was in RAM before; the loader need not clear it";
}

GUEST_TEST(Entry, boots_from_dirty_memory, .run = "/tests/1-boot/state",
           .data = {{"small", kBlob}}, .at_reset = look_at_kmain) {
    EXPECT_EQ(guest.text("blob_hash"), hex(hash_of(kBlob)));
    guest.expect_checks();
}

GUEST_CRASH_TEST(Entry, a_wrong_magic_number_is_refused, .run = "/tests/1-boot/state",
                 .data = {{"small", kBlob}}, .kernel_arguments = "loglevel=4",
                 .at_reset = spoil_magic) {
    if (!guest.seen_numbers.contains("spoiled")) {
        stop_test("FAIL", "the CPU did not come to start_pvh\n" + guest.diagnosis);
    }
    EXPECT_EQ(guest.outcome, Outcome::Panic)
        << "expected: the kernel says what is wrong on COM1 and ends the machine; got: "
        << outcome_name(guest.outcome) << "\n" << guest.diagnosis;
    EXPECT_NE(guest.console.find("magic"), std::string::npos)
        << "the message on COM1 does not speak of the magic number:\n" << guest.console;
}

GUEST_CRASH_TEST(Entry, a_cpu_without_long_mode_is_refused, .run = "/tests/1-boot/state",
                 .data = {{"small", kBlob}}, .cpu_model = "qemu32") {
    EXPECT_EQ(guest.outcome, Outcome::Panic)
        << "expected: the kernel says on COM1 that the CPU has no 64-bit mode and ends the "
           "machine; got: " << outcome_name(guest.outcome) << "\n" << guest.diagnosis;
    EXPECT_NE(guest.console.find("64-bit"), std::string::npos)
        << "the message on COM1 does not speak of 64-bit mode:\n" << guest.console;
}
