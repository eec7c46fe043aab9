// Interactive programs as a user meets them: on a PTY, typed to key by key, in a window
// that changes its size.
//
//   screens [NAME|PATH...]   vi, less, top, watch, ash (all of busybox, and what is tested
//                            without arguments); bash and python3 by their paths
//
// What is waited for is what the programs draw on Linux, bytes for the terminal "linux":
// where a line stands on the screen is in the sequence before it, "\033[10;1H" is row 10.
//
// Some programs look at the window's size before they go to sleep, and a signal that comes
// just then waits for the next key. Their new size is waited for after a key.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/tests/lib/check.h"
#include "user/tests/lib/child.h"
#include "user/tests/lib/session.h"

namespace {

constexpr const char* kFile = "screens.txt";
constexpr char kUpByLetter = 'P' & 0x1f, kStartOfLine = 'A' & 0x1f,
               kEndOfLine = 'E' & 0x1f, kSearchBack = 'R' & 0x1f, kEraseLine = 'U' & 0x1f,
               kErase = 127;

void write_lines(int count) {
    FILE* file = fopen(kFile, "w");
    for (int i = 1; i <= count; i++) fprintf(file, "line-%d.\n", i);
    fclose(file);
}

void expect_file(const char* name, const char* wanted) {
    char text[256] = {};
    int fd = open(kFile, O_RDONLY);
    check_works("reads", read(fd, text, sizeof text - 1));
    close(fd);
    check_text(name, wanted, text);
}

void test_vi(const char*) {
    write_lines(3);
    Session vi({"/bin/busybox", "vi", kFile, nullptr});
    vi.expect("opens", "\033[3;1Hline-3.");
    vi.expect("status_line", "\033[24;1H\033[K- screens.txt 1/3 33%");
    vi.type("jonew");
    vi.expect("inserts", "\033[3;4H");  // the cursor is behind the new word
    vi.type(kEscape);
    vi.expect("inserted", "- screens.txt [Modified] 3/4 75%");
    vi.type("ggx");
    vi.expect("moves_to_start", "- screens.txt [Modified] 1/4 25%");
    vi.type("Gp");
    vi.expect("pastes_at_end", "Put 0 lines (1 chars)");
    vi.type(":set ignorecase\r/NEW\r");
    vi.expect("searches", "search hit BOTTOM, continuing at TOP");
    vi.type("dd");
    vi.expect("deletes", "Delete 1 lines (4 chars)");
    vi.type("u");
    vi.expect("undoes", "restored 4 chars");
    vi.resize(10, 40);
    vi.expect("status_at_new_bottom", "\033[9;1H~");
    vi.expect("status_at_new_bottom", "\033[10;1H\033[K- screens.txt [Modified] 3/4 75%");
    vi.type(":wq\r");
    check_exited("vi_ends", 0, vi.await_end());
    expect_file("vi_saved", "ine-1.\nline-2.\nnew\nlline-3.\n");
}

// Between two keys it has the terminal in its usual mode, where Enter is another key: each
// key is typed when the answer to the one before is there.
void test_less(const char*) {
    write_lines(200);
    Session less({"/bin/busybox", "less", kFile, nullptr});
    less.expect("first_page", "line-23.\r\n\033[24;0H\033[K\033[7mscreens.txt");
    less.type(' ');
    less.expect("second_page", "line-46.\r\n\033[24;0H\033[K:");
    less.type('b');
    less.expect("page_back", "line-23.\r\n\033[24;0H");
    less.resize(10, 40);
    less.type('b');
    less.expect("smaller_page", "line-9.\r\n");
    for (int i = 0; i < 2; i++) less.expect("smaller_page", "\033[10;0H\033[K");
    less.type('/');
    less.expect("search", "\033[10;0H\033[K/");
    for (char letter : {'l', 'i', 'n', 'e', '-', '1', '5', '0'}) {
        const char answer[] = {letter, '\033', '[', 0};
        less.type(letter);
        less.expect("letter", answer);
    }
    less.type('\r');
    less.expect("found", "\033[7mline-150\033[m.");
    less.expect("found_page", "line-158.\r\n\033[10;0H\033[K:");
    less.type('G');
    less.expect("last_page", "line-200.");
    less.expect("last_page", "(END)");
    less.type('q');
    check_exited("less_ends", 0, less.await_end());
}

void test_top(const char*) {
    Session top({"/bin/busybox", "top", "-d", "0.2", nullptr});
    for (const char* text : {"Mem: ", "CPU: ", "Load average: ", "%CPU COMMAND"})
        top.expect("heads", text);
    top.resize(24, 40);
    top.expect("narrower", "%VSZ %CP\033[m");  // the heading as far as it fits
    top.resize(500, 120);
    top.expect("wider", "%CPU COMMAND");
    top.expect("sees_itself", "top -d 0.2");
    top.expect("refreshes", "Mem: ");
    top.type('q');
    check_exited("top_ends", 0, top.await_end());
}

// Its command is started by system(3), which ignores SIGINT until the command has ended:
// the key ends either the command, and watch goes on, or watch between its rounds.
void test_watch(const char*) {
    unlink("rounds");
    Session watch({"/bin/busybox", "watch", "-n", "0.2",
                   "echo x >> rounds; n=$(wc -l < rounds); echo ro''und $n.; "
                   "[ $n -lt 3 ] || exec sleep 100",
                   nullptr});
    watch.expect("title", "Every 0.2s: echo x >> rounds;");
    watch.expect("round", "round 1.");
    watch.resize(10, 40);
    watch.expect("narrower_title", "Every 0.2s: echo x >20");  // the date, at the right
    watch.expect("round", "round 2.");
    watch.expect("round", "round 3.");
    watch.type(kInterrupt);
    watch.expect("goes_on", "Every 0.2s:");
    watch.expect("goes_on", "round 4.");
    check_killed("watch_ends", SIGINT, watch.end_by(kInterrupt));
}

void test_ash(const char*) {
    write_lines(200);
    Session ash("ash");
    ash.expect_of("window", "stty size", "24 80\r\n");
    ash.type("echo wrnog");
    for (int i = 0; i < 3; i++) ash.press(kLeft);
    for (int i = 0; i < 2; i++) ash.press(kDelete);
    ash.expect_of("edits", "on", "\nwrong\r\n");
    ash.press(kUp);
    ash.expect_of("history", " again", "\nwrong again\r\n");
    ash.type("at scr\t");
    ash.expect("completes", "screens.txt ");
    ash.type(kStartOfLine);
    ash.type('c');
    ash.type(kEndOfLine);
    ash.expect_of("completed", "| tail -n 1", "line-200.\r\n");
    ash.type('e');
    ash.expect("edits", "e");  // now it waits for keys
    ash.resize(10, 20);
    ash.type("cho 1234567890123");
    ash.expect("line_wraps", "3\r\r\n");  // at the new right edge
    ash.expect_of("line_wraps", "4", "\n12345678901234\r\n");
    ash.expect_of("resized", "stty size", "10 20\r\n");
    ash.type("exit 3\r");
    check_exited("ash_ends", 3, ash.await_end());
}

void test_bash(const char* path) {
    write_lines(200);
    Session bash({path, path, "--norc", "-i", nullptr});
    bash.expect("prompt", "$ ");
    bash.expect_of("window", "stty size; echo $LINES-$COLUMNS.", "24 80\r\n24-80.\r\n");
    bash.type("echo wrnog");
    for (int i = 0; i < 3; i++) bash.press(kLeft);
    for (int i = 0; i < 2; i++) bash.press(kDelete);
    bash.expect_of("edits", "on", "\rwrong\r\n");
    bash.type(kUpByLetter);
    bash.expect_of("history", " again", "\rwrong again\r\n");
    bash.type("tail -n 1 scr\t");
    bash.expect("completes", "screens.txt ");
    bash.expect_of("completed", "", "\rline-200.\r\n");
    bash.type('e');
    bash.expect("edits", "e");
    bash.resize(10, 20);
    bash.expect_of("resized", "cho $LINES-$COLUMNS.; stty size", "10-20.\r\n10 20\r\n");
    bash.type(kSearchBack);
    bash.type("tail");
    bash.expect("searches_history", "screens");
    bash.expect_of("found", "", "\rline-200.\r\n");
    bash.type("exit 3\r");
    check_exited("bash_ends", 3, bash.await_end());
}

void test_python(const char* path) {
    Session python({path, path, nullptr});
    python.expect("prompt", ">>> ");
    auto expect_of = [&](const char* name, const char* line, const char* text) {
        python.type(line);
        python.type('\r');
        python.expect(name, text);
        python.expect(name, ">>> ");
    };
    python.type("6 * 8");
    python.type(kErase);
    expect_of("computes", "7", "\n42\r\n");
    expect_of("computes", "2**100", "\n1267650600228229401496703205376\r\n");
    python.type("for i in range(3):\r");
    python.expect("goes_on", "... ");
    python.type("    print('round', i)\r");
    python.expect("goes_on", "... ");
    expect_of("loops", "", "\nround 0\r\nround 1\r\nround 2\r\n");
    python.type("print('be' 'gun'); exec('while True: pass')\r");
    python.expect("endless_loop", "begun\r\n");
    python.type(kInterrupt);
    python.expect("loop_interrupted", "KeyboardInterrupt\r\n>>> ");
    python.type("import time; print('sle' 'eps'); exec('while True: time.sleep(0.1)')\r");
    python.expect("sleeps", "sleeps\r\n");
    python.type(kInterrupt);
    python.expect("sleep_interrupted", "KeyboardInterrupt\r\n>>> ");
    python.press(kUp);
    python.expect("history", "time.sleep(0.1)')");
    python.type(kEraseLine);
    python.type("ti\t");
    python.expect("completes", "time");
    expect_of("completed", "", "<module 'time' ");
    expect_of("imports", "import os, signal", "");
    expect_of("handler",
              "signal.signal(signal.SIGWINCH, "
              "lambda *_: print('now', os.get_terminal_size()))",
              "Handlers.SIG_");
    python.resize(10, 50);
    expect_of("resized", "", "now os.terminal_size(columns=50, lines=10)\r\n");
    python.type(kEnd);
    check_exited("python_ends", 0, python.await_end());
}

struct Program {
    const char* name;
    void (*test)(const char* path);
    bool by_default = true;
};
constexpr Program kPrograms[] = {
    {"vi", test_vi},
    {"less", test_less},
    {"top", test_top},
    {"watch", test_watch},
    {"ash", test_ash},
    {"bash", test_bash, false},
    {"python3", test_python, false},
};

void test_program(const char* path) {
    const char* slash = strrchr(path, '/');
    const char* name = slash != nullptr ? slash + 1 : path;
    for (const Program& program : kPrograms) {
        if (strcmp(program.name, name) != 0) continue;
        check_group(program.name);
        return program.test(path);
    }
    check_failed(path, Where::current(), "there is no test for it");
}

}  // namespace

int main(int argc, char** argv) {
    check_quietly(true);
    char folder[] = "/tmp/screens.XXXXXX";  // histories come here, too
    if (mkdtemp(folder) == nullptr || chdir(folder) != 0) return 1;
    session_home = folder;
    for (int i = 1; i < argc; i++) test_program(argv[i]);
    for (const Program& program : kPrograms)
        if (argc == 1 && program.by_default) test_program(program.name);
    check_group(nullptr);
    check_exited("cleans_up", 0, run_child([&] {
                     return execl("/bin/busybox", "rm", "-r", folder, nullptr);
                 }));
    return check_summary("screens");
}
