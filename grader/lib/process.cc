#include "grader/lib/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace {

void redirect(const fs::path& path, int target, int flags) {
    if (path.empty()) return;
    int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, target) < 0) {
        fprintf(stderr, "mello: cannot open %s: %s\n", path.c_str(), strerror(errno));
        _exit(126);
    }
}

void limit(int resource, uint64_t amount) {
    if (amount == 0) return;
    rlimit value{amount, amount};
    setrlimit(resource, &value);
}

[[noreturn]] void become(const std::vector<std::string>& command,
                         const ProcessOptions& options, pid_t parent) {
    setpgid(0, 0);
    // The child dies with the grader, however that ends (and so does what it started this way).
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (!options.stdin_pipe) redirect(options.stdin_file, 0, O_RDONLY);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
    redirect(options.stdout_file, 1, kWrite);
    if (options.stderr_file == options.stdout_file && !options.stderr_file.empty()) {
        dup2(1, 2);
    } else {
        redirect(options.stderr_file, 2, kWrite);
    }
    limit(RLIMIT_FSIZE, options.max_file_bytes);
    limit(RLIMIT_AS, options.max_memory_bytes);
    limit(RLIMIT_CORE, 1);
    for (const auto& [name, value] : options.environment) {
        setenv(name.c_str(), value.c_str(), 1);
    }
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    fprintf(stderr, "mello: cannot start %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

}  // namespace

Process::Process(std::vector<std::string> command, const ProcessOptions& options) {
    int pipe_ends[2] = {-1, -1};
    if (options.stdin_pipe && pipe2(pipe_ends, O_CLOEXEC) != 0) throw InfraError("no pipe");
    pid_t parent = getpid();
    last_look_ = monotonic_seconds();
    pid_ = fork();
    if (pid_ < 0) throw InfraError(std::string("fork: ") + strerror(errno));
    if (pid_ == 0) {
        if (options.stdin_pipe) dup2(pipe_ends[0], 0);
        become(command, options, parent);
    }
    setpgid(pid_, pid_);
    if (options.stdin_pipe) {
        close(pipe_ends[0]);
        stdin_fd_ = pipe_ends[1];
    }
}

Process::~Process() {
    kill();
    if (stdin_fd_ >= 0) close(stdin_fd_);
}

std::optional<int> Process::poll() {
    if (status_) return status_;
    int status;
    pid_t got = waitpid(pid_, &status, WNOHANG);
    if (got == pid_) status_ = status;
    if (got < 0 && errno != EINTR) status_ = 126 << 8;
    return status_;
}

std::optional<int> Process::wait(double seconds) {
    double end = monotonic_seconds() + seconds;
    double pause = 0.001;
    while (!poll() && monotonic_seconds() < end) {
        sleep_seconds(pause);
        pause = pause < 0.02 ? pause * 1.5 : pause;
    }
    return status_;
}

void Process::signal(int number) {
    if (!poll()) ::kill(-pid_, number);
}

void Process::kill() {
    if (poll()) return;
    ::kill(-pid_, SIGKILL);
    int status;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    status_ = status;
}

bool Process::send(std::string_view text) {
    auto old = ::signal(SIGPIPE, SIG_IGN);
    ssize_t written = write(stdin_fd_, text.data(), text.size());
    ::signal(SIGPIPE, old);
    return written == static_cast<ssize_t>(text.size());
}

double Process::served_seconds() {
    double now = monotonic_seconds();
    double passed = now - last_look_;
    last_look_ = now;
    double delay = 0;
    std::error_code error;
    fs::path tasks = "/proc/" + std::to_string(pid_) + "/task";
    for (const auto& task : fs::directory_iterator(tasks, error)) {
        std::ifstream file(task.path() / "schedstat");
        uint64_t running = 0, waiting = 0;
        if (!(file >> running >> waiting)) continue;
        uint64_t& before = delays_[task.path().filename().string()];
        delay = std::max(delay, static_cast<double>(waiting - before) * 1e-9);
        before = waiting;
    }
    served_ += std::max(0.0, passed - delay);
    return served_;
}

int shell_status(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

CommandResult run_command(const std::vector<std::string>& command, double seconds,
                          ProcessOptions options) {
    TempDir folder("mello-cmd");
    options.stdout_file = options.stderr_file = folder.path() / "output";
    Process process(command, options);
    std::optional<int> status = process.wait(seconds);
    process.kill();
    return {status ? shell_status(*status) : 124,
            read_file_or(folder.path() / "output", "")};
}
