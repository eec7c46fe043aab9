// Lab 2, what the host finds in the page tables while a program (user/tests/2-paging/walk.cc)
// and its forked child stand still, each on a CPU of its own.
#include "grader/suites/suite.h"

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPresent = 1, kWrite = 2, kUser = 4, kLarge = 1 << 7;
constexpr uint64_t kNoExecute = 1ull << 63, kAddressMask = 0x000ffffffffff000;
constexpr uint64_t kKernelHalf = 0xffff800000000000, kKernelEnd = ~0ull;
constexpr uint64_t kUserEnd = 0x0000800000000000, kStackTop = kUserEnd - kPage;

// As in walk.cc.
constexpr uint64_t kPlace = 0x300000000000;
enum Page {
    kUnchanged, kOurs, kTheirs, kReadOnly, kNoAccess, kShared, kCode, kUntouched, kUnmapped,
};
const char* const kNames[] = {
    "written before the fork", "written by the parent after the fork",
    "written by the child after the fork", "made read-only", "PROT_NONE", "MAP_SHARED",
    "read and execute", "never touched", "unmapped",
};

std::string describe(const Mapping& mapping) {
    char text[120];
    snprintf(text, sizeof text, "%#lx..%#lx -> %#lx %s%s%s%s", mapping.start, mapping.end,
             mapping.physical, mapping.user ? "user " : "", "r", mapping.write ? "w" : "-",
             mapping.execute ? "x" : "-");
    return text;
}

// What is wrong, a line each, a few at most.
struct Findings {
    std::string text;
    int count = 0;
    void add(const std::string& what) {
        if (++count <= 6) text += what + "\n";
    }
};

void look_at_kernel(Inspection& here) {
    Findings both, users, aliases;
    uint64_t text_start = here.symbols.address("kernel_text_start");
    uint64_t text_end = here.symbols.address("kernel_text_end");
    uint64_t data_start = here.symbols.address("kernel_data_start");
    uint64_t data_end = here.symbols.address("kernel_data_end");
    std::optional<Mapping> text = here.machine.translate(here.cpu.cr3, text_start);
    uint64_t text_physical = text ? text->physical + (text_start - text->start) : 0;
    uint64_t text_size = text_end - text_start;
    for (const Mapping& m : here.machine.mappings(here.cpu.cr3, kKernelHalf, kKernelEnd)) {
        if (m.write && m.execute) both.add(describe(m));
        if (m.user) users.add(describe(m));
        bool is_image = m.start >= text_start && m.start < text_end;
        bool covers_text = m.physical < text_physical + text_size &&
                           m.physical + (m.end - m.start) > text_physical;
        if (covers_text && m.write) aliases.add("the kernel's code is writable at " + describe(m));
        if (is_image && !m.execute) aliases.add("the kernel's code is not executable at " + describe(m));
        if (m.start < data_end && m.end > data_start && m.execute)
            aliases.add("the kernel's data is executable at " + describe(m));
        here.numbers["kernel_mappings"]++;
    }
    here.texts["write_and_execute"] = both.text;
    here.texts["users_in_kernel_half"] = users.text;
    here.texts["image"] = aliases.text;
}

// The tables themselves: the rights of the entries above the leaves.
struct TableWalk {
    Inspection& here;
    Findings findings;
    uint64_t tables = 0;

    void table(uint64_t physical, int level, uint64_t base, bool kernel) {
        uint64_t entries[512];
        if (!here.machine.read_physical(physical, entries, sizeof entries)) {
            findings.add("a table lies outside memory");
            return;
        }
        ++tables;
        for (uint64_t i = level == 4 && kernel ? 256 : 0; i < (level == 4 && !kernel ? 256 : 512);
             ++i) {
            uint64_t entry = entries[i];
            uint64_t address = base | i << (12 + 9 * (level - 1));
            if ((entry & kPresent) == 0 || level == 1 || (entry & kLarge) != 0) continue;
            char where[80];
            snprintf(where, sizeof where, "level %d entry for %#lx: %#lx ", level, address, entry);
            if (kernel && (entry & kUser) != 0)
                findings.add(where + std::string("is open to the user"));
            if (!kernel && (entry & (kUser | kWrite)) != (kUser | kWrite))
                findings.add(where + std::string("lacks U or W, and so do all pages below"));
            if ((entry & kNoExecute) != 0)
                findings.add(where + std::string("has NX, and so have all pages below"));
            table(entry & kAddressMask, level - 1, address, kernel);
        }
    }
};

void look_at_tables(Inspection& here) {
    for (bool kernel : {false, true}) {
        TableWalk walk{here, {}};
        walk.table(here.cpu.cr3 & kAddressMask, 4, 0, kernel);
        here.texts[kernel ? "kernel_tables" : "user_tables"] = walk.findings.text;
        here.numbers[kernel ? "kernel_table_count" : "user_table_count"] = walk.tables;
    }
}

void look_at_user(Inspection& here) {
    Findings wrong;
    uint64_t stack_flags = 0;
    // The machine may have been stopped in a tick: then RSP is the kernel's. The stack goes up
    // to the end of the user's half.
    const uint64_t in_stack = here.cpu.rsp < kUserEnd ? here.cpu.rsp : kStackTop - 1;
    for (const Mapping& m : here.machine.mappings(here.cpu.cr3, 0, kUserEnd)) {
        if (m.write && m.execute) wrong.add("writable and executable: " + describe(m));
        if (!m.user) wrong.add("not for the user: " + describe(m));
        if (m.start <= in_stack && in_stack < m.end)
            stack_flags = 1 | (m.write ? 2 : 0) | (m.execute ? 4 : 0);
        if (m.start <= here.cpu.rip && here.cpu.rip < m.end && (m.write || !m.execute))
            wrong.add("the program's code: " + describe(m));
        here.numbers["user_mappings"]++;
    }
    here.texts["user"] = wrong.text;
    here.numbers["stack"] = stack_flags;
}

// The pages that walk.cc made, in the parent and in the child.
void look_at_fork(Inspection& here) {
    std::optional<Mapping> shared =
        here.machine.translate(here.cpu.cr3, kPlace + kShared * kPage);
    for (const CpuState& other : here.machine.cpus()) {
        if (other.cr3 == here.cpu.cr3 || !shared) continue;
        std::optional<Mapping> theirs =
            here.machine.translate(other.cr3, kPlace + kShared * kPage);
        if (!theirs || theirs->physical != shared->physical) continue;
        here.numbers["child_found"] = 1;
        for (int page = kUnchanged; page <= kUnmapped; ++page) {
            for (bool child : {false, true}) {
                std::optional<Mapping> m = here.machine.translate(
                    child ? other.cr3 : here.cpu.cr3, kPlace + page * kPage);
                std::string name = (child ? "child_" : "parent_") + std::to_string(page);
                here.numbers[name + "_entry"] = m ? m->entry : 0;
                here.numbers[name + "_writable"] = m && m->write;
            }
        }
    }
}

// The kernel stack of each CPU's thread ends at RSP0 of its TSS; below it must be nothing.
void look_at_stacks(Inspection& here) {
    constexpr uint64_t kRsp0 = 4, kLongest = 64 * 1024;
    Findings wrong;
    for (const CpuState& cpu : here.machine.cpus()) {
        uint64_t top = 0;
        here.machine.read_virtual(cpu.id, cpu.tss_base + kRsp0, &top, sizeof top);
        std::string name = "CPU " + std::to_string(cpu.id) + ": ";
        uint64_t bottom = top;
        while (top - bottom <= kLongest && here.machine.translate(cpu.cr3, bottom - kPage))
            bottom -= kPage;
        if (bottom == top) {
            wrong.add(name + "RSP0 is not the top of mapped memory");
        } else if (top - bottom > kLongest) {
            wrong.add(name + "no unmapped page in the 64 KiB below RSP0");
        }
        std::optional<Mapping> stack = here.machine.translate(cpu.cr3, top - 8);
        if (stack && (stack->execute || stack->user || !stack->write))
            wrong.add(name + "the stack is " + describe(*stack));
    }
    here.texts["stacks"] = wrong.text;
}

void look(Inspection& here) {
    look_at_kernel(here);
    look_at_tables(here);
    look_at_user(here);
    look_at_fork(here);
    look_at_stacks(here);
}

uint64_t entry(const Guest& guest, const char* who, int page) {
    return guest.seen(who + ("_" + std::to_string(page)) + "_entry");
}
bool writable(const Guest& guest, const char* who, int page) {
    return guest.seen(who + ("_" + std::to_string(page)) + "_writable") != 0;
}

}  // namespace

#define WALK_TEST(name) \
    GUEST_TEST(Walk, name, .run = "/tests/2-paging/walk", .cpus = 4, .limit = 40, .inspect = look)

WALK_TEST(the_kernel_is_writable_or_executable_never_both) {
    EXPECT_GT(guest.seen("kernel_mappings"), 3u);
    EXPECT_EQ(guest.seen_text("write_and_execute"), "") << "writable and executable";
    EXPECT_EQ(guest.seen_text("image"), "");
    EXPECT_EQ(guest.seen_text("users_in_kernel_half"), "")
        << "pages of the kernel's half that the user may reach";
}

WALK_TEST(kernel_stacks_have_guard_pages) { EXPECT_EQ(guest.seen_text("stacks"), ""); }

WALK_TEST(entries_above_the_leaf_allow_everything) {
    EXPECT_GE(guest.seen("user_table_count"), 8u) << "tables of the user's half";
    EXPECT_EQ(guest.seen_text("user_tables"), "");
    EXPECT_EQ(guest.seen_text("kernel_tables"), "");
}

WALK_TEST(user_pages_have_their_regions_rights) {
    guest.expect_checks();
    EXPECT_EQ(guest.seen_text("user"), "");
    EXPECT_EQ(guest.seen("stack"), 3u)
        << "the user's stack: 1 mapped, 2 writable, 4 executable; expected mapped and writable";
    for (const char* who : {"parent", "child"}) {
        EXPECT_TRUE(entry(guest, who, kUnchanged) & kNoExecute) << who << ": data without NX";
        EXPECT_FALSE(entry(guest, who, kCode) & kNoExecute) << who << ": code with NX";
        for (int page : {kNoAccess, kUntouched, kUnmapped})
            EXPECT_EQ(entry(guest, who, page), 0u)
                << who << ": a page that is " << kNames[page] << " is present";
    }
}

WALK_TEST(fork_shares_frames_read_only) {
    ASSERT_EQ(guest.seen("child_found"), 1u)
        << "no CPU runs a child with the same MAP_SHARED page";
    auto frame = [&](const char* who, int page) { return entry(guest, who, page) & kAddressMask; };
    for (int page : {kUnchanged, kReadOnly, kCode, kShared})
        EXPECT_EQ(frame("parent", page), frame("child", page))
            << "a page that was " << kNames[page] << " is not shared: did fork copy it?";
    for (int page : {kUnchanged, kReadOnly, kCode}) {
        for (const char* who : {"parent", "child"})
            EXPECT_FALSE(writable(guest, who, page))
                << "a page that was " << kNames[page] << " is writable for the " << who;
    }
    for (int page : {kOurs, kTheirs})
        EXPECT_NE(frame("parent", page), frame("child", page))
            << "a page that was " << kNames[page] << " is still shared";
    EXPECT_TRUE(writable(guest, "parent", kOurs)) << "the parent's copy";
    EXPECT_TRUE(writable(guest, "child", kTheirs)) << "the child's copy";
    for (const char* who : {"parent", "child"})
        EXPECT_TRUE(writable(guest, who, kShared)) << "MAP_SHARED memory of the " << who;
}
