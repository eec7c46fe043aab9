// Child processes: started in a process group of their own, so that ending one ends all
// that it started; limited; and with a clock that stands still while the host has no time
// for them.
#pragma once
#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "grader/lib/util.h"

struct ProcessOptions {
    fs::path directory;                         // empty: the caller's
    std::map<std::string, std::string> environment;  // added to the caller's
    fs::path stdin_file = "/dev/null";          // empty: inherited, as the next two
    fs::path stdout_file;
    fs::path stderr_file;
    bool stdin_pipe = false;                    // stdin is a pipe: see Process::send
    uint64_t max_file_bytes = 0;                // RLIMIT_FSIZE; 0: none
    uint64_t max_memory_bytes = 0;              // RLIMIT_AS; 0: none
};

class Process {
  public:
    Process(std::vector<std::string> command, const ProcessOptions& options);
    ~Process();  // kills the group when it still runs
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    // Wait status (as waitpid's) when it has ended.
    std::optional<int> poll();
    // Waits at most `seconds`; nothing when it still runs then.
    std::optional<int> wait(double seconds);
    void signal(int number);
    void kill();
    // Writes to the stdin pipe; false when nobody reads.
    bool send(std::string_view text);

    // Seconds since the start, minus those in which a thread of the process was ready to
    // run and the host had no CPU for it (/proc/PID/task/*/schedstat, the longest delay of
    // any thread). On an idle host this is wall-clock time, on a loaded one it passes
    // slower: a limit on it does not punish a guest for the host's load.
    double served_seconds();

  private:
    pid_t pid_ = -1;
    int stdin_fd_ = -1;
    std::optional<int> status_;
    double last_look_;
    double served_ = 0;
    std::map<std::string, uint64_t> delays_;  // by thread id
};

// Runs to the end; output holds stdout and stderr together.
struct CommandResult {
    int status;  // exit status; 128 + signal; 124 when `seconds` ran out
    std::string output;
};
CommandResult run_command(const std::vector<std::string>& command, double seconds = 600,
                          ProcessOptions options = {});
// Exit status as a shell reports it, from waitpid's.
int shell_status(int wait_status);
