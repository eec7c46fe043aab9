// Lab 7, proc_stat.cc: the two files as ps and top read them.
#include <gtest/gtest.h>

#include <cstring>
#include <sstream>
#include <vector>

#include "grader/suites/7-profiling/machine.h"
#include "kernel/prof/proc_stat.h"

namespace {

constexpr uint64_t kTick = 10'000'000;

SystemSnapshot snapshot_of(std::span<const CpuUsage> cpus) {
    SystemSnapshot snapshot{};
    snapshot.cpus = cpus;
    return snapshot;
}

std::vector<std::string> lines_of(const SystemSnapshot& snapshot) {
    TextString out;
    format_system_stat(out, snapshot);
    std::istringstream in(out.text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

TEST(SystemStat, HasALineForEachCpu) {
    CpuUsage usage[] = {{11 * kTick, 22 * kTick, 33 * kTick}, {100 * kTick, 0, 7 * kTick}};
    std::vector<std::string> lines = lines_of(snapshot_of(usage));
    ASSERT_GE(lines.size(), 3u);
    EXPECT_EQ(lines[0], "cpu  111 0 22 40 0 0 0 0 0 0");
    EXPECT_EQ(lines[1], "cpu0 11 0 22 33 0 0 0 0 0 0");
    EXPECT_EQ(lines[2], "cpu1 100 0 0 7 0 0 0 0 0 0");
}

// 0.9 of a tick on each of ten CPUs are nine ticks.
TEST(SystemStat, RoundsSumsOnce) {
    CpuUsage usage[10];
    for (CpuUsage& cpu : usage) cpu = {kTick * 9 / 10, kTick * 8 / 10, kTick * 19 / 10};
    std::vector<std::string> lines = lines_of(snapshot_of(usage));
    ASSERT_GE(lines.size(), 11u);
    EXPECT_EQ(lines[0], "cpu  9 0 8 19 0 0 0 0 0 0")
        << "each CPU was rounded before the sum was made";
    EXPECT_EQ(lines[10], "cpu9 0 0 0 1 0 0 0 0 0 0");
}

TEST(SystemStat, HasTheCounters) {
    CpuUsage usage[1] = {};
    std::vector<std::string> lines =
        lines_of({.cpus = usage, .interrupts = 123456789012, .context_switches = 42,
                  .boot_time = 1'700'000'000, .forks = 17, .running = 3, .blocked = 1});
    for (const char* wanted : {"intr 123456789012", "ctxt 42", "btime 1700000000",
                               "processes 17", "procs_running 3", "procs_blocked 1"})
        EXPECT_NE(std::find(lines.begin(), lines.end(), wanted), lines.end()) << wanted;
}

// The fields behind the name; field(3) is the state.
struct ProcessLine {
    explicit ProcessLine(const ProcessSnapshot& snapshot) {
        TextString out;
        format_process_stat(out, snapshot);
        text = out.text;
        std::istringstream in(text.substr(text.rfind(')') + 1));
        for (std::string word; in >> word;) fields.push_back(word);
    }
    std::string field(size_t number) const {
        return number - 3 < fields.size() ? fields[number - 3] : "missing";
    }
    std::string text;
    std::vector<std::string> fields;
};

ProcessSnapshot snapshot_of(const char* name) {
    ProcessSnapshot p{};
    p.pid = 71, p.parent = 2, p.group = 70, p.session = 60, p.state = 'S';
    strncpy(p.name, name, sizeof p.name - 1);
    p.terminal = 0x8801, p.foreground_group = -1;
    return p;
}

TEST(ProcessStat, SaysWhoAndWhat) {
    ProcessLine line(snapshot_of("a) S (b"));
    EXPECT_EQ(line.text.substr(0, 12), "71 (a) S (b)") << "any byte may stand in a name";
    EXPECT_EQ(line.field(3), "S");
    EXPECT_EQ(line.field(4), "2");
    EXPECT_EQ(line.field(5), "70");
    EXPECT_EQ(line.field(6), "60");
    EXPECT_EQ(line.field(8), "-1");
}

TEST(ProcessStat, Has52Fields) {
    ProcessLine line(snapshot_of("sh"));
    EXPECT_EQ(line.fields.size(), 50u) << "52 with pid and name";
    EXPECT_EQ(std::count(line.text.begin(), line.text.end(), '\n'), 1);
    EXPECT_EQ(line.text.back(), '\n');
}

TEST(ProcessStat, CountsTicksOfAHundredth) {
    ProcessSnapshot p = snapshot_of("busy");
    p.minor_faults = 5;
    p.user_ns = 123 * kTick + kTick - 1, p.system_ns = 4 * kTick;
    p.children_user_ns = 55 * kTick, p.children_system_ns = 66 * kTick;
    p.threads = 3, p.start_ns = 777 * kTick;
    ProcessLine line(p);
    EXPECT_EQ(line.field(10), "5") << "minflt";
    EXPECT_EQ(line.field(14), "123") << "utime";
    EXPECT_EQ(line.field(15), "4") << "stime";
    EXPECT_EQ(line.field(16), "55") << "cutime";
    EXPECT_EQ(line.field(17), "66") << "cstime";
    EXPECT_EQ(line.field(20), "3") << "num_threads";
    EXPECT_EQ(line.field(22), "777") << "starttime";
}

TEST(ProcessStat, SaysWhereItsMemoryIs) {
    ProcessSnapshot p = snapshot_of("big");
    p.virtual_bytes = 1'000'000, p.resident_pages = 99, p.resident_limit = ~0ull;
    p.code_start = 0x400000, p.code_end = 0x410000, p.stack_start = 0x7ffffff0;
    p.last_cpu = 2, p.exit_signal = 17;
    ProcessLine line(p);
    EXPECT_EQ(line.field(23), "1000000") << "vsize";
    EXPECT_EQ(line.field(24), "99") << "rss";
    EXPECT_EQ(line.field(25), "18446744073709551615") << "rsslim";
    EXPECT_EQ(line.field(26), std::to_string(0x400000)) << "startcode";
    EXPECT_EQ(line.field(28), std::to_string(0x7ffffff0)) << "startstack";
    EXPECT_EQ(line.field(38), "17") << "exit_signal";
    EXPECT_EQ(line.field(39), "2") << "processor";
}

}  // namespace
