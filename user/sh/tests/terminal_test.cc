// mello-sh at a terminal: typed to through a PTY, judged by what the screen shows. Runs
// the program of the guest on this machine; nothing here waits for time to pass, only for
// output.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <clocale>
#include <functional>

#include "grader/lib/process.h"
#include "grader/lib/util.h"
#include "user/sh/tests/screen.h"

namespace {

const std::string kShell = "build/user/root/bin/mello-sh";
constexpr double kPatience = 20;  // seconds, for a loaded machine

const std::string kUp = "\x1b[A", kDown = "\x1b[B", kRight = "\x1b[C", kLeft = "\x1b[D";
const std::string kHome = "\x1b[H", kEnd = "\x1b[F", kDelete = "\x1b[3~";
std::string control(char letter) { return {static_cast<char>(letter & 0x1f)}; }

std::string repeat(std::string_view text, size_t count) {
    std::string result;
    while (count-- > 0) result += text;
    return result;
}

class Terminal : public testing::Test {
  protected:
    void SetUp() override {
        setlocale(LC_ALL, "C.UTF-8");
        write_file(home_.path() / "nap", "#!/bin/sh\necho running\nexec sleep 1000\n");
        write_file(home_.path() / "copy", "#!/bin/sh\necho running\nexec cat\n");
        for (const char* name : {"nap", "copy"}) {
            fs::permissions(home_.path() / name, fs::perms::owner_all);
        }
        start();
    }
    void TearDown() override { stop(); }

    void start(unsigned short columns = 60) {
        screen_ = Screen(columns);
        output_.clear();
        typed_at_ = -1;
        winsize size{24, columns, 0, 0};
        fs::path shell = fs::absolute(kShell);
        pid_ = forkpty(&master_, nullptr, nullptr, &size);
        if (pid_ == 0) {
            setenv("HOME", home_.path().c_str(), 1);
            setenv("PS1", "$ ", 1);
            setenv("PATH", "/usr/bin:/bin", 1);
            unsetenv("HISTFILE");
            // What our own starter ignores (nohup) would stay ignored, and no hangup end it.
            for (int number : {SIGHUP, SIGINT, SIGQUIT}) signal(number, SIG_DFL);
            if (chdir(home_.path().c_str()) != 0) _exit(126);
            execl(shell.c_str(), "mello-sh", nullptr);
            _exit(127);
        }
        ASSERT_GT(pid_, 0);
        expect_prompt();
    }

    // Hangs up and waits for the shell; what it started in its session gets SIGHUP.
    void stop() {
        if (pid_ <= 0) return;
        close(master_);
        waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    void type(std::string_view keys) {
        typed_at_ = row();
        ASSERT_EQ(write(master_, keys.data(), keys.size()),
                  static_cast<ssize_t>(keys.size()));
    }

    // Reads until it holds. Everything the test expects goes through here.
    bool until(const std::function<bool()>& holds) {
        double began = monotonic_seconds();
        while (!holds()) {
            pollfd ready{master_, POLLIN, 0};
            poll(&ready, 1, 100);
            char buffer[4096];
            ssize_t got = ready.revents ? read(master_, buffer, sizeof buffer) : 0;
            if (got > 0) {
                output_.append(buffer, static_cast<size_t>(got));
                screen_.feed({buffer, static_cast<size_t>(got)});
            }
            if (got < 0 || monotonic_seconds() - began > kPatience) return holds();
        }
        return true;
    }

    void expect_row(std::string_view text) {
        EXPECT_TRUE(until([&] { return screen_.row(screen_.cursor_row()) == text; }))
            << "the cursor's row should be: " << text << "\nthe screen is:\n"
            << screen_.all();
    }
    void expect_cursor(size_t column) {
        EXPECT_TRUE(until([&] { return screen_.cursor_column() == column; }))
            << "the cursor should be in column " << column << ", is in "
            << screen_.cursor_column() << "\n"
            << screen_.all();
    }
    // Anywhere on the screen, as a whole row.
    void expect_shown(std::string_view row) {
        EXPECT_TRUE(until([&] {
            return ("\n" + screen_.all()).find("\n" + std::string(row) + "\n") !=
                   std::string::npos;
        })) << "a row should be: "
            << row << "\nthe screen is:\n"
            << screen_.all();
    }
    void expect_output(std::string_view text) {
        EXPECT_TRUE(until([&] { return output_.find(text) != std::string::npos; }))
            << "expected: " << text << "\nthe screen is:\n"
            << screen_.all();
    }
    // An empty prompt below where the last keys were typed.
    void expect_prompt() {
        EXPECT_TRUE(until([&] {
            return screen_.row(screen_.cursor_row()) == "$" &&
                   screen_.cursor_column() == 2 && row() > typed_at_;
        })) << "there should be a prompt. The screen is:\n"
            << screen_.all();
    }
    // The prompt for the rest of a command, below where the last keys were typed.
    void expect_more() {
        EXPECT_TRUE(until([&] {
            return screen_.row(screen_.cursor_row()) == ">" && row() > typed_at_;
        })) << "there should be a >. The screen is:\n"
            << screen_.all();
    }
    // Types a command with ./nap (sleeps) or ./copy (is cat), and waits until that runs.
    // Before, what is typed would still be the line editor's, which does not echo.
    void begin(std::string_view command) {
        output_.clear();
        type(std::string(command) + "\r");
        expect_output("running");
    }
    // Types a line to ./copy: it appears twice, as echo and as copy.
    void copy(const std::string& line) {
        output_.clear();
        type(line + "\r");
        std::string twice = line + "\r\n" + line + "\r\n";
        EXPECT_TRUE(until([&] { return output_.find(twice) != std::string::npos; }))
            << screen_.all();
    }
    long row() const { return static_cast<long>(screen_.cursor_row()); }
    // Types a command; the rows that it printed.
    std::string run(std::string_view command) {
        type(std::string(command) + "\r");
        auto from = static_cast<size_t>(typed_at_ + 1);
        expect_prompt();
        std::string rows;
        for (size_t i = from; i < screen_.cursor_row(); ++i)
            rows += screen_.row(i) + "\n";
        return rows;
    }
    int exit_status() {
        until([] { return false; });  // to the end of its output
        int status = 0;
        waitpid(pid_, &status, 0);
        close(master_);
        pid_ = -1;
        return shell_status(status);
    }

    TempDir home_;
    Screen screen_{60};
    std::string output_;
    long typed_at_ = -1;  // the row where the last keys were typed
    pid_t pid_ = -1;
    int master_ = -1;
};

}  // namespace

// ---- editing ----

TEST_F(Terminal, runs_a_command_and_prompts_again) {
    EXPECT_EQ(run("echo hello"), "hello\n");
    EXPECT_EQ(run(""), "");
    EXPECT_EQ(run("echo $?"), "0\n");
}

TEST_F(Terminal, inserts_and_erases_in_the_middle) {
    type("echo ac" + kLeft + "b");
    expect_row("$ echo abc");
    expect_cursor(9);
    type(kLeft + kLeft + kDelete);
    expect_row("$ echo bc");
    type("\x7f");
    expect_row("$ echobc");
    type(" x");
    expect_row("$ echo xbc");
    EXPECT_EQ(run(""), "xbc\n");
}

TEST_F(Terminal, moves_by_line_and_word) {
    type("one two three" + control('a'));
    expect_cursor(2);
    type("\x1b[1;5C");
    expect_cursor(5);
    type(control('e') +
         "\x1b"
         "b");
    expect_cursor(10);
    type(kHome + "echo ");
    expect_row("$ echo one two three");
    type(kEnd + control('b') + control('b') + control('f') + "X");
    EXPECT_EQ(run(""), "one two threXe\n");
}

TEST_F(Terminal, cuts_and_pastes) {
    type("echo one two" + control('w'));
    expect_row("$ echo one");
    type(control('y') + control('y'));
    expect_row("$ echo one twotwo");
    type(control('a') +
         "\x1b"
         "f" +
         control('k'));
    expect_row("$ echo");
    type(control('u'));
    expect_row("$");
    type("x" + control('u') + "echo kept");
    EXPECT_EQ(run(""), "kept\n");
}

TEST_F(Terminal, edits_whole_utf8_characters) {
    type("echo äö日本e\u0301!");
    expect_row("$ echo äö日本e\u0301!");
    expect_cursor(15);
    type(kLeft + kLeft);
    expect_cursor(13);
    type(kLeft);
    expect_cursor(11);
    type("\x7f");  // erases the wide character before
    expect_row("$ echo äö本e\u0301!");
    expect_cursor(9);
    type(kDelete + kDelete + "ü" + kLeft + kLeft + "\x7f");
    expect_row("$ echo öü!");
    EXPECT_EQ(run(""), "öü!\n");
}

TEST_F(Terminal, shows_control_characters) {
    type(
        "echo a"
        "\x16"
        "b" +
        kHome + kEnd);  // Ctrl-V is no command of ours
    expect_row("$ echo ab");
    EXPECT_EQ(run(""), "ab\n");
}

TEST_F(Terminal, wraps_long_lines) {
    stop();
    start(20);
    std::string text = repeat("0123456789", 4);
    type("echo " + text);
    // After "$ echo 0123456789012" and "34567890123456789012", which begins alike.
    auto all_there = [&] {
        return screen_.cursor_row() == 2 && screen_.row(2) == "3456789";
    };
    EXPECT_TRUE(until(all_there)) << screen_.all();
    type(kHome + "'" + kRight + kDelete + "Z");
    expect_cursor(5);
    EXPECT_TRUE(until([&] { return screen_.row(0) == "$ 'eZho 012345678901"; }))
        << screen_.all();
    EXPECT_EQ(screen_.row(1), "23456789012345678901");
    EXPECT_EQ(screen_.cursor_row(), 0u);
    type(control('u') + control('k') + "echo " + text + kHome + kEnd);
    EXPECT_TRUE(until(all_there)) << screen_.all();
    EXPECT_EQ(run(""), "01234567890123456789\n01234567890123456789\n");
}

TEST_F(Terminal, fills_a_row_to_its_end) {
    stop();
    start(20);
    type("echo 0123456789012");  // with the prompt exactly 20
    EXPECT_TRUE(until([&] {
        return screen_.cursor_row() == 1 && screen_.cursor_column() == 0;
    })) << screen_.all();
    type(
        "\x7f"
        "x" +
        kLeft + kLeft + "y" + kEnd);
    expect_row("x");
    EXPECT_EQ(screen_.row(0), "$ echo 01234567890y1");
    EXPECT_EQ(run(""), "01234567890y1x\n");
    // A wide character does not fit into the last column.
    type("echo 012345678901日");
    EXPECT_TRUE(until([&] { return screen_.row(screen_.cursor_row()) == "日"; }))
        << screen_.all();
    type(kHome + kEnd + "!");
    expect_row("日!");
    EXPECT_EQ(run(""), "012345678901日!\n");
}

TEST_F(Terminal, follows_the_width_of_the_window) {
    winsize size{24, 20, 0, 0};
    ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
    screen_.set_columns(20);
    type("echo 0123456789" + kHome + kEnd + "0123456789");
    expect_row("3456789");
    EXPECT_EQ(screen_.cursor_row(), 1u);
}

TEST_F(Terminal, clears_the_screen) {
    run("echo before");
    type("echo x" + control('l'));
    EXPECT_TRUE(until([&] { return screen_.all() == "$ echo x\n"; })) << screen_.all();
    EXPECT_EQ(run(""), "x\n");
}

TEST_F(Terminal, takes_pasted_lines_one_by_one) {
    type("echo one\recho two\recho three\r");
    expect_shown("one");
    expect_shown("two");
    expect_shown("three");
}

TEST_F(Terminal, keeps_what_is_typed_while_a_command_runs) {
    type("read x; echo \"<$x>\"\rfor read\recho next\r");
    expect_shown("<for read>");
    expect_shown("next");
}

TEST_F(Terminal, asks_for_the_rest_of_a_command) {
    type("for i in 1 2; do\r");
    expect_more();
    type("echo \"r$i\r");
    expect_more();
    EXPECT_EQ(run("e\"; done"), "r1\ne\nr2\ne\n");
    type("cat <<E\r");
    expect_more();
    type("text\r");
    expect_more();
    EXPECT_EQ(run("E"), "text\n");
}

TEST_F(Terminal, survives_errors) {
    EXPECT_EQ(run("echo )"), "mello-sh: syntax error: unexpected `)`\n");
    EXPECT_EQ(run("echo $?"), "2\n");
    EXPECT_EQ(run("nosuchcommand"), "mello-sh: nosuchcommand: not found\n");
    EXPECT_EQ(run("echo $?"), "127\n");
    EXPECT_EQ(run(": ${x?nothing there}; echo never"), "mello-sh: x: nothing there\n");
    EXPECT_EQ(run("cd /nosuch; shift 4; echo never"),
              "mello-sh: cd: /nosuch: No such file or directory\n"
              "mello-sh: shift: only 0 arguments left\n");
    EXPECT_EQ(run("sh -c 'kill -SEGV $$'; echo $?").substr(0, 18), "Segmentation fault");
}

// ---- history ----

TEST_F(Terminal, recalls_lines) {
    run("echo one");
    run("echo two");
    type("thr" + kUp);
    expect_row("$ echo two");
    type(kUp);
    expect_row("$ echo one");
    type(kUp + kDown);
    expect_row("$ echo two");
    type(kDown);
    expect_row("$ thr");
    type(control('u') + kUp + kUp + "!");
    EXPECT_EQ(run(""), "one!\n");
}

TEST_F(Terminal, remembers_lines_over_sessions) {
    run("echo from the first");
    run("echo same");
    run("echo same");
    stop();
    start();
    run("echo mine");
    type(kUp + kUp);
    expect_row("$ echo same");
    type(kUp);
    expect_row("$ echo from the first");
    type(kDown + kDown);
    expect_row("$ echo mine");
}

TEST_F(Terminal, searches_history) {
    run("echo apple");
    run("echo banana");
    run("echo apricot");
    type(control('r') + "ap");
    expect_row("(search) ap: echo apricot");
    type(control('r'));
    expect_row("(search) ap: echo apple");
    EXPECT_EQ(run(""), "apple\n");
    type("keep" + control('r') + "bana");
    expect_row("(search) bana: echo banana");
    type(control('g'));
    expect_row("$ keep");
}

// ---- completion ----

TEST_F(Terminal, completes_files_and_commands) {
    run("mkdir folder; : > folder/file-one; : > folder/file-two; : > 'with space'");
    type("ls fo\t");
    expect_row("$ ls folder/");
    type("\t");
    expect_row("$ ls folder/file-");
    type("\t");
    expect_shown("folder/file-one  folder/file-two");
    expect_row("$ ls folder/file-");
    type("o\t");
    expect_row("$ ls folder/file-one");
    EXPECT_EQ(run(""), "folder/file-one\n");
    type("echo wi\t");
    expect_row("$ echo with\\ space");
    EXPECT_EQ(run(""), "with space\n");
    type("contin\t1; true | uma\t");
    expect_row("$ continue 1; true | umask");
    EXPECT_EQ(run(""), "0022\n");
    type("ls ~/wi\t");
    expect_row("$ ls ~/with\\ space");
}

// ---- jobs ----

TEST_F(Terminal, drops_the_line_on_interrupt) {
    type("echo never" + control('c'));
    expect_shown("$ echo never^C");
    expect_prompt();
    EXPECT_EQ(run("echo $?"), "130\n");
    type("for i in 1; do\r");
    expect_more();
    type(control('c'));
    expect_prompt();
}

TEST_F(Terminal, interrupts_a_program) {
    begin("./nap; echo never");
    type(control('c'));
    expect_prompt();
    EXPECT_EQ(run("echo $?"), "130\n");
    EXPECT_EQ(output_.find("\nnever"), std::string::npos);
}

TEST_F(Terminal, interrupts_loops) {
    type("while :; do echo round; done\r");
    expect_shown("round");
    type(control('c'));
    expect_prompt();
    EXPECT_EQ(run("echo $?"), "130\n");
    // Wherever it comes: to the shell, to a child that is not the program yet, to the
    // program.
    for (int i = 0; i < 20; i++) {
        std::string mark = "round" + std::to_string(i);
        type("while true; do echo " + mark + "; sleep 1000; done\r");
        expect_shown(mark);
        type(control('c'));
        expect_prompt();
    }
    EXPECT_EQ(run("jobs; echo none"), "none\n");
}

TEST_F(Terminal, interrupts_reading) {
    type("echo ready; read x; echo never\r");
    expect_shown("ready");
    type(control('c'));
    expect_prompt();
}

TEST_F(Terminal, stops_and_continues_a_job) {
    begin("./copy");
    copy("first");
    type(control('z'));
    expect_shown("[1]+ Stopped ./copy");
    expect_prompt();
    EXPECT_EQ(run("echo $?"), std::to_string(128 + SIGTSTP) + "\n");
    EXPECT_EQ(run("jobs"), "[1]+ Stopped ./copy\n");
    type("fg\r");
    expect_shown("./copy");
    copy("second");
    type(control('d'));
    expect_row("$");
    EXPECT_EQ(run("jobs"), "");
}

TEST_F(Terminal, runs_a_stopped_job_in_the_background) {
    begin("./nap");
    type(control('z'));
    expect_shown("[1]+ Stopped ./nap");
    expect_prompt();
    EXPECT_EQ(run("bg"), "[1]+ ./nap &\n");
    EXPECT_EQ(run("jobs"), "[1]+ Running ./nap &\n");
    type("fg\r");
    expect_shown("./nap");
    type(control('c'));
    expect_prompt();
    EXPECT_EQ(run("jobs"), "");
}

TEST_F(Terminal, reports_background_jobs_before_a_prompt) {
    type("sh -c 'exit 3' &\r");
    expect_output("[1] ");
    expect_prompt();
    EXPECT_TRUE(until([&] {
        run("");
        return screen_.all().find("[1]+ Exit 3 sh -c 'exit 3'\n") != std::string::npos;
    })) << screen_.all();
    EXPECT_EQ(run("jobs"), "");
}

TEST_F(Terminal, tells_jobs_apart) {
    run("sleep 1001 & sleep 1002 & sleep 1003 &");
    EXPECT_EQ(run("jobs"),
              "[1]  Running sleep 1001 &\n[2]- Running sleep 1002 &\n[3]+ Running sleep "
              "1003 &\n");
    run("kill %1; wait %1; echo $?");
    expect_shown("143");
    type("fg %?1002\r");
    expect_shown("sleep 1002");
    type(control('z'));
    expect_shown("[2]+ Stopped sleep 1002");
    expect_prompt();
    EXPECT_EQ(run("jobs"), "[2]+ Stopped sleep 1002\n[3]- Running sleep 1003 &\n");
    EXPECT_EQ(run("kill %sleep\\ 1003 %2; wait; fg %3"),
              "mello-sh: fg: %3: no such job\n");
}

TEST_F(Terminal, stops_a_background_reader) {
    run("cat &");
    EXPECT_TRUE(until([&] { return run("jobs") == "[1]+ Stopped cat\n"; }))
        << screen_.all();
    type("fg\r");
    expect_shown("cat");
    copy("for cat");
    type(control('d'));
    expect_row("$");
}

TEST_F(Terminal, treats_a_pipeline_as_one_job) {
    begin("./copy | cat | cat");
    copy("through");
    type(control('z'));
    expect_shown("[1]+ Stopped ./copy | cat | cat");
    expect_prompt();
    type("fg\r");
    expect_shown("./copy | cat | cat");
    copy("on");
    type(control('c'));
    expect_prompt();
    EXPECT_EQ(run("echo $?"), "130\n");
}

TEST_F(Terminal, kills_a_job_with_all_its_processes) {
    for (int i = 0; i < 10; i++)
        run("(sleep 1000; echo never) & kill %1; wait %1; echo $?");
    EXPECT_EQ(output_.find("never\r"), std::string::npos);
    EXPECT_EQ(run("jobs; echo $?"), "0\n");
}

TEST_F(Terminal, restores_the_terminal_after_a_killed_program) {
    run("sh -c 'stty raw -echo; kill -9 $$'");
    std::string modes = " " + run("stty -a");
    std::replace(modes.begin(), modes.end(), '\n', ' ');
    for (std::string_view mode : {" icanon ", " echo ", " isig ", " icrnl ", " opost "}) {
        EXPECT_NE(modes.find(mode), std::string::npos) << mode << " in\n" << modes;
    }
}

TEST_F(Terminal, keeps_what_stty_changes) {
    run("stty intr ^B");
    EXPECT_NE(run("stty -a").find("intr = ^B;"), std::string::npos);
}

TEST_F(Terminal, warns_of_stopped_jobs_before_it_ends) {
    begin("./nap");
    type(control('z'));
    expect_prompt();
    EXPECT_EQ(run("exit"),
              "mello-sh: there are stopped jobs; the next exit leaves them\n");
    type(control('d'));
    exit_status();
}

TEST_F(Terminal, ends_with_a_status) {
    type("exit 7\r");
    EXPECT_EQ(exit_status(), 7);
    start();
    type("false\r" + control('d'));
    EXPECT_EQ(exit_status(), 1);
}

TEST_F(Terminal, runs_traps_of_exit_at_a_terminal) {
    run("trap 'echo leaving' EXIT");
    type("exit\r");
    expect_shown("leaving");
    exit_status();
}

// ---- no terminal ----

TEST(ShellInput, leaves_what_a_command_reads_on_standard_input) {
    CommandResult result = run_command(
        {"sh", "-c",
         "printf 'read x\\nthe data\\necho \"[$x]\"; cat\\nall the\\nrest\\n' | " +
             kShell});
    EXPECT_EQ(result.output, "[the data]\nall the\nrest\n");
    EXPECT_EQ(result.status, 0);
}

TEST(ShellInput, says_where_an_error_is) {
    TempDir folder;
    write_file(folder.path() / "script",
               "echo one\nnosuchcommand\n\nif true; then\n  fi\n");
    CommandResult result = run_command({kShell, folder.path() / "script"});
    std::string name = folder.path() / "script";
    EXPECT_EQ(result.output, "one\n" + name + ": line 2: nosuchcommand: not found\n" +
                                 name + ": line 5: syntax error: unexpected `fi`\n");
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(run_command({kShell, "/nosuch/script"}).status, 127);
    EXPECT_EQ(run_command({kShell, kShell}).status, 126);
}

TEST(ShellInput, knows_the_line_number) {
    EXPECT_EQ(run_command({kShell, "-c", "echo $LINENO\n\necho $LINENO"}).output,
              "1\n3\n");
}
