// A program as the leader of a session on a new PTY, typed to key by key, as a user does.
//
// Nothing here waits for a time to pass, only for output, for the end of processes and
// for the foreground to change, each with a limit of kPatienceMs. After a failure all else
// in the session fails at once, and its end kills the program.
//
// What a session leaves behind shows in a pipe: each of its processes has the writing end,
// so the pipe's end of file is the death of the last one.
#pragma once
#include <sys/types.h>

#include <initializer_list>

#include "user/tests/lib/check.h"

inline constexpr int kPatienceMs = 20000;
inline constexpr char kInterrupt = 'C' & 0x1f, kStop = 'Z' & 0x1f, kQuit = '\\' & 0x1f,
                      kEnd = 'D' & 0x1f, kEscape = '[' & 0x1f;

// Where the programs of a session start, and their HOME: a folder.
inline const char* session_home = "/tmp";

class Session {
  public:
    // A shell by its path, or "ash", waited for until it prompts.
    explicit Session(const char* shell);
    // Any program: its path, then its arguments from argv[0] on, then nullptr.
    explicit Session(std::initializer_list<const char*> program) { start(program); }
    // Hangs up; whoever does not end then is a failure.
    ~Session();

    pid_t shell() const { return shell_; }
    int master() const { return master_; }
    void shell_is_gone() { shell_ = -1; }

    void type(const char* keys) {
        for (; *keys != 0; ++keys) type(*keys);
    }
    void type(char key) { press({&key, 1}); }
    // A key that sends several bytes, all at once as a terminal does: programs take a
    // lonely escape for a key of its own after some milliseconds.
    struct Key {
        const char* bytes;
        size_t length;
    };
    void press(Key key);

    // Reads until `text` comes, after what was waited for before.
    bool expect(const char* name, const char* text, Where where = Where::current());
    // A command, Enter, and what must come of it; then the shell's prompt.
    void expect_of(const char* name, const char* command, const char* text,
                   Where where = Where::current());
    // A job in the foreground that says when it is there.
    void run_job(const char* name);
    void stop_job(const char* name);
    // Until a job has the terminal: what is typed earlier finds the shell's line editor.
    void await_foreground();

    void resize(unsigned short rows, unsigned short columns);

    // The program ends by itself: its wait status, -1 after a failure.
    int await_end();
    // The same by a key which the program does not take at every moment: pressed until it
    // ends.
    int end_by(char key);

    void hang_up();
    bool everybody_ends();

  private:
    void start(std::initializer_list<const char*> program);
    int become(std::initializer_list<const char*> program, const char* terminal);
    bool read_some(int patience_ms);
    int await_end(char key, int pause_ms);

    int master_ = -1, lives_ = -1;
    pid_t shell_ = -1;
    bool failed_ = false;
    char seen_[8192] = {};
    size_t length_ = 0;
};

inline constexpr Session::Key kUp = {"\033[A", 3}, kLeft = {"\033[D", 3},
                              kDelete = {"\033[3~", 4};
