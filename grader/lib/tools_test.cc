// The grader's smaller tools: text, processes, archives, rubrics, results.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>

#include "grader/lib/archive.h"
#include "grader/lib/process.h"
#include "grader/lib/results.h"
#include "grader/lib/rubric.h"

TEST(Text, last_lines_counts_from_the_end) {
    EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc");
    EXPECT_EQ(last_lines("a\nb", 5), "a\nb");
    EXPECT_EQ(last_lines("", 3), "");
}

TEST(Text, printable_shows_control_characters) {
    EXPECT_EQ(printable("a\x1b[2Jb\r\n\t"), "a\\x1b[2Jb\n\t");
}

TEST(Text, shell_quote_survives_a_shell) {
    std::string text = "it's \"$HOME\" `x` \\ \n!";
    EXPECT_EQ(run_command({"sh", "-c", "printf %s " + shell_quote(text)}).output, text);
}

TEST(ProcessTest, reports_statuses_as_a_shell_does) {
    EXPECT_EQ(run_command({"sh", "-c", "exit 42"}).status, 42);
    EXPECT_EQ(run_command({"sh", "-c", "kill -9 $$"}).status, 137);
    EXPECT_EQ(run_command({"/does/not/exist"}).status, 127);
}

TEST(ProcessTest, ends_at_its_limit_with_all_it_started) {
    double began = monotonic_seconds();
    CommandResult result = run_command({"sh", "-c", "sleep 50 & echo $!; sleep 50"}, 0.3);
    EXPECT_EQ(result.status, 124);
    EXPECT_LT(monotonic_seconds() - began, 5);
    int child = atoi(result.output.c_str());
    ASSERT_GT(child, 1);
    sleep_seconds(0.1);
    EXPECT_FALSE(fs::exists("/proc/" + std::to_string(child) + "/exe"));
}

TEST(ProcessTest, progress_does_not_exceed_time) {
    Process process({"sleep", "0.3"}, {});
    double began = monotonic_seconds();
    while (!process.poll()) {
        EXPECT_LE(process.served_seconds(), monotonic_seconds() - began + 0.05);
        sleep_seconds(0.05);
    }
}

TEST(ArchiveTest, cpio_reads_what_we_write) {
    TempDir folder;
    fs::path tree = folder.path() / "tree";
    fs::create_directories(tree / "bin");
    write_file(tree / "bin/tool", "#!/bin/sh\n");
    chmod((tree / "bin/tool").c_str(), 0755);
    fs::create_symlink("bin/tool", tree / "link");
    Archive first, second;
    first.add_tree(tree);
    second.add_file("run/mello/cmd", "echo 'a  b'");
    std::string bytes = first.finish() + second.finish();
    EXPECT_EQ(bytes.size() % 4, 0u);
    write_file(folder.path() / "a.cpio", bytes);
    fs::path out = folder.path() / "out";
    fs::create_directory(out);
    ProcessOptions options;
    options.directory = out;
    // Two archives in one file: cpio reads one at a time.
    run_command({"sh", "-c", "{ cpio -id; cpio -id; } < ../a.cpio"}, 20, options);
    EXPECT_EQ(read_file_or(out / "bin/tool", ""), "#!/bin/sh\n");
    EXPECT_EQ(fs::read_symlink(out / "link"), "bin/tool");
    EXPECT_NE(fs::status(out / "bin/tool").permissions() & fs::perms::owner_exec, fs::perms::none);
    EXPECT_EQ(read_file_or(out / "run/mello/cmd", ""), "echo 'a  b'");
}

TEST(RubricTest, all_of_them_are_right) {
    for (int lab : labs_with_rubric()) {
        Rubric rubric = read_rubric(lab);
        EXPECT_EQ(rubric.total(), std::floor(rubric.total())) << rubric.folder;
        for (const RubricTest& test : rubric.tests) {
            EXPECT_TRUE(fs::exists("labs/" + rubric.folder + "/" + test.file))
                << rubric.folder << ": " << test.name << " names " << test.file;
        }
    }
}

TEST(RubricTest, a_pattern_fits_the_name_behind_the_dot) {
    EXPECT_TRUE(matches("", "A.b"));
    EXPECT_TRUE(matches("b", "A.b"));
    EXPECT_TRUE(matches("A.*", "A.b"));
    EXPECT_FALSE(matches("c", "A.b"));
}

TEST(Results, a_line_of_the_reporter_is_read) {
    auto start = parse_report(R"({"start":"A.b"})");
    ASSERT_TRUE(start);
    EXPECT_FALSE(start->finished);
    auto end = parse_report(
        R"({"test":"A.b","verdict":"FAIL","seconds":1.5,"message":"x\ny","properties":)"
        R"({"figure":"60.25","machine":"qemu-icount"}})");
    ASSERT_TRUE(end);
    EXPECT_TRUE(end->finished);
    EXPECT_EQ(end->verdict, "FAIL");
    EXPECT_EQ(end->figure, 60.25);
    EXPECT_FALSE(parse_report("not json"));
}

TEST(Results, the_scorecard_says_why_where_and_how_again) {
    LabResult lab;
    lab.lab = 3;
    lab.folder = "3-syscall";
    lab.title = "SYSCALL";
    TestResult test;
    test.rubric = {"A.b", "It works", "qemu-wall", "", "the stack", "entry.S", "stack", 5, {}, {}};
    test.verdict = "FAIL";
    test.message = "expected 1, got 2";
    test.repeat = "make grade LAB=3 TEST=A.b";
    lab.tests.push_back(test);
    lab.maximum = 5;
    std::string card = scorecard(lab, false);
    for (const char* part : {"FAIL", "0 /  5", "qemu-wall", "expected 1, got 2", "the stack",
                             "labs/3-syscall/entry.S", "handouts/3-syscall.md#stack",
                             "make grade LAB=3 TEST=A.b", "0 of 5 points"}) {
        EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
    }
    EXPECT_EQ(card.find('\x1b'), std::string::npos);
}
