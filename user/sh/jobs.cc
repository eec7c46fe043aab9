#include "user/sh/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "user/sh/editor.h"
#include "user/sh/redirect.h"
#include "user/sh/shell.h"
#include "user/sh/signals.h"

namespace {

std::vector<Shared<Job>> jobs;
unsigned long last_recency = 0;
int terminal = -1;
pid_t own_group = 0;

bool same(const Shared<Job>& a, const Shared<Job>& b) { return &*a == &*b; }

int exit_status(int status) {
    if (WIFSTOPPED(status)) return 128 + WSTOPSIG(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Of the jobs with a number: stopped before running, then the most recent one.
Shared<Job> current_job(const Shared<Job>& except = {}) {
    Shared<Job> best;
    for (const Shared<Job>& job : jobs) {
        if (job->number == 0 || (except && same(job, except))) continue;
        bool stopped = job->state() == Process::State::Stopped;
        bool best_stopped = best && best->state() == Process::State::Stopped;
        if (!best || (stopped && !best_stopped) ||
            (stopped == best_stopped && job->recency > best->recency)) {
            best = job;
        }
    }
    return best;
}

void number_job(const Shared<Job>& job) {
    int highest = 0;
    for (const Shared<Job>& other : jobs) {
        if (other->number > highest) highest = other->number;
    }
    if (job->number == 0) job->number = highest + 1;
    job->recency = ++last_recency;
    job->foreground = false;
}

// "Stopped", "Done", "Exit 3", "Terminated"
std::string state_text(const Job& job) {
    int status = job.processes.back().status;
    switch (job.state()) {
        case Process::State::Running: return "Running";
        case Process::State::Stopped: return "Stopped";
        case Process::State::Ended: break;
    }
    if (WIFSIGNALED(status)) {
        return std::string(strsignal(WTERMSIG(status))) +
               (WCOREDUMP(status) ? " (core dumped)" : "");
    }
    if (WEXITSTATUS(status) == 0) return "Done";
    return "Exit " + std::to_string(WEXITSTATUS(status));
}

void note(pid_t pid, int status) {
    for (const Shared<Job>& job : jobs) {
        for (Process& process : job->processes) {
            if (process.pid != pid || process.state == Process::State::Ended) continue;
            process.status = status;
            process.state = WIFCONTINUED(status) ? Process::State::Running
                            : WIFSTOPPED(status) ? Process::State::Stopped
                                                 : Process::State::Ended;
            job->changed = job->state() != Process::State::Running;
            return;
        }
    }
}

void take_terminal_back(Job& job) {
    int status = job.processes.back().status;
    tcsetpgrp(terminal, own_group);
    if (job.state() == Process::State::Stopped) {
        job.has_modes = tcgetattr(terminal, &job.modes) == 0;
    }
    // A program that ended by itself may have meant to change the terminal (stty).
    if (WIFSTOPPED(status) || WIFSIGNALED(status)) restore_terminal();
}

}  // namespace

Process::State Job::state() const {
    bool stopped = false;
    for (const Process& process : processes) {
        if (process.state == Process::State::Running) return Process::State::Running;
        stopped |= process.state == Process::State::Stopped;
    }
    return stopped ? Process::State::Stopped : Process::State::Ended;
}

int Job::status() const { return exit_status(processes.back().status); }

void start_job_control() {
    terminal = fcntl(0, F_DUPFD_CLOEXEC, kOwnDescriptors);
    own_group = getpgrp();
    pid_t owner;
    // Started in the background: stop until somebody brings us forward. The leader of a
    // session has nobody who would.
    while ((owner = tcgetpgrp(terminal)) >= 0 && owner != own_group &&
           getsid(0) != shell.pid) {
        kill(0, SIGTTIN);
        own_group = getpgrp();
    }
    if (owner < 0) {
        complain({"no job control: ", why()});
        signals_for_terminal();
        return;
    }
    signals_for_terminal();
    shell.monitor = true;
    if (own_group != shell.pid) setpgid(0, shell.pid);
    own_group = shell.pid;
    if (owner != own_group) tcsetpgrp(terminal, own_group);
}

Shared<Job> new_job(std::string_view text, bool foreground) {
    Shared<Job> job(new Job{});
    job->text = text;
    job->foreground = foreground;
    jobs.push_back(job);
    return job;
}

pid_t fork_into(Job* job) {
    bool own = job && shell.monitor;
    // A signal must not meet a child that still has the shell's dispositions.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid != 0) sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        fail(1, {"cannot fork: ", why()});
        return -1;
    }
    pid_t group = job && job->group ? job->group : pid ? pid : getpid();
    // Both sides do this, so that neither runs on before it is so. SIGTTOU is still
    // ignored.
    if (own) {
        setpgid(pid, group);
        if (job->foreground && terminal >= 0) tcsetpgrp(terminal, group);
    }
    if (pid > 0) {
        if (job) {
            job->group = own ? group : 0;
            job->processes.push_back(Process{pid});
        }
        return pid;
    }
    signals_for_child(own);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    if (job && !job->foreground && !own) {
        signal(SIGINT, SIG_IGN);
        signal(SIGQUIT, SIG_IGN);
        close(0);
        open("/dev/null", O_RDONLY);
    }
    // Ctrl-C came before it was ours to die of.
    if (shell.interrupted && std::exchange(shell.interactive, false)) raise(SIGINT);
    shell.interactive = shell.monitor = false;
    shell.loops = 0;
    jobs.clear();
    return 0;
}

int wait_in_foreground(const Shared<Job>& job) {
    if (job->processes.empty()) {
        forget_job(job);
        return shell.status;
    }
    // Ctrl-C came to us while the job was on its way to the foreground.
    if (shell.interrupted && job->group) kill(-job->group, SIGINT);
    while (job->state() == Process::State::Running) {
        if (!reap(true) && errno == ECHILD) break;
    }
    bool stopped = job->state() == Process::State::Stopped;
    int status = job->processes.back().status;
    if (job->group && terminal >= 0) take_terminal_back(*job);
    job->changed = false;
    if (stopped) {
        number_job(job);
        write_all(2, "\n" + describe(job) + "\n");
        return 128 + SIGTSTP;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT && shell.interactive) {
        shell.interrupted = 1;  // the loops that we are in end, too
    } else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGPIPE &&
               WTERMSIG(status) != SIGINT) {
        write_all(2, state_text(*job) + "\n");
    }
    forget_job(job);
    return job->status();
}

void put_into_background(const Shared<Job>& job) {
    if (job->processes.empty()) return forget_job(job);
    number_job(job);
    shell.background = job->processes.back().pid;
    if (shell.interactive) {
        write_all(2, "[" + std::to_string(job->number) + "] " +
                         std::to_string(shell.background) + "\n");
    }
}

void continue_job(const Shared<Job>& job, bool foreground) {
    if (!foreground) job->recency = ++last_recency;
    job->foreground = foreground;
    job->changed = false;
    if (foreground && terminal >= 0) {
        tcsetpgrp(terminal, job->group);
        if (job->has_modes) tcsetattr(terminal, TCSADRAIN, &job->modes);
    }
    // Who reads this may type Ctrl-Z at once: the terminal is the job's already, and SIGCONT,
    // which would take that stop back, goes only to a job that is known to be stopped.
    if (foreground) write_all(2, job->text + "\n");
    bool stopped = false;
    for (Process& process : job->processes) {
        if (process.state != Process::State::Stopped) continue;
        process.state = Process::State::Running;
        stopped = true;
    }
    if (stopped) kill(-job->group, SIGCONT);
}

bool reap(bool block) {
    int status;
    pid_t pid =
        waitpid(-1, &status,
                (block ? 0 : WNOHANG) | (shell.monitor ? WUNTRACED | WCONTINUED : 0));
    if (pid <= 0) return false;
    note(pid, status);
    return true;
}

int wait_for_child(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return exit_status(status);
}

Shared<Job> find_job(std::string_view name) {
    if (name.starts_with('%')) name.remove_prefix(1);
    if (name.empty() || name == "%" || name == "+") return current_job();
    if (name == "-") {
        Shared<Job> current = current_job();
        return current ? current_job(current) : current;
    }
    long number = 0;
    parse_number(name, number);
    bool anywhere = name[0] == '?';
    for (const Shared<Job>& job : jobs) {
        if (job->number == 0) continue;
        if (number > 0 ? job->number == number
            : anywhere ? job->text.find(name.substr(1)) != std::string::npos
                       : std::string_view(job->text).starts_with(name)) {
            return job;
        }
    }
    return {};
}

Shared<Job> job_of(pid_t pid) {
    for (const Shared<Job>& job : jobs) {
        for (const Process& process : job->processes) {
            if (process.pid == pid) return job;
        }
    }
    return {};
}

std::vector<Shared<Job>> all_jobs() { return jobs; }

bool has_stopped_jobs() {
    for (const Shared<Job>& job : jobs) {
        if (job->state() == Process::State::Stopped) return true;
    }
    return false;
}

void forget_job(const Shared<Job>& job) {
    Shared<Job> kept = job;
    std::erase_if(jobs, [&](const Shared<Job>& other) { return same(other, kept); });
}

std::string describe(const Shared<Job>& job) {
    Shared<Job> current = current_job();
    Shared<Job> previous = current ? current_job(current) : current;
    char mark = current && same(job, current)     ? '+'
                : previous && same(job, previous) ? '-'
                                                  : ' ';
    std::string text = "[" + std::to_string(job->number) + "]" + mark + " " +
                       state_text(*job) + " " + job->text;
    if (job->state() == Process::State::Running) text += " &";
    return text;
}

void report_changes() {
    if (jobs.empty()) return;
    while (reap(false)) {
    }
    std::string report;
    for (const Shared<Job>& job : all_jobs()) {
        if (!job->changed) continue;
        report += describe(job) + "\n";
        job->changed = false;
        if (job->state() == Process::State::Ended) forget_job(job);
    }
    if (!report.empty()) write_all(2, report);
}
