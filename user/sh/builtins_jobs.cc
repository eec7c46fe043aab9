// jobs, fg, bg, wait, kill.
#include <errno.h>
#include <signal.h>

#include "user/sh/builtins.h"
#include "user/sh/jobs.h"
#include "user/sh/signals.h"

namespace {

// The job that the words name (none: the current one); null after a complaint.
Shared<Job> named_job(const Strings& words) {
    Shared<Job> job = find_job(words.size() > 1 ? words[1] : "");
    if (!job) {
        complain({words[0], ": ", words.size() > 1 ? words[1] : "current job",
                  ": no such job"});
    } else if (!shell.monitor || !job->group) {
        complain({words[0], ": no job control"});
        return {};
    }
    return job;
}

// Waits for the job's end; 128 + signal when a signal with a trap came first.
int wait_for_end(const Shared<Job>& job) {
    while (job->state() != Process::State::Ended) {
        if (reap(true)) continue;
        if (errno == ECHILD) return 127;
        if (shell.interrupted || trap_is_pending()) return 128 + SIGINT;
    }
    int status = job->status();
    forget_job(job);
    return status;
}

std::string signal_list() {
    std::string list;
    for (int signal = 1; signal < 32; ++signal) {
        list += signal_name(signal) + (signal % 8 == 7 ? "\n" : " ");
    }
    return list;
}

bool send(const std::string& target, int signal) {
    long pid;
    Shared<Job> job;
    if (target.starts_with('%')) {
        job = find_job(target);
        if (!job) {
            complain({"kill: ", target, ": no such job"});
            return false;
        }
        pid = job->group ? -job->group : job->processes.back().pid;
    } else if (!parse_number(target, pid)) {
        complain({"kill: ", target, ": neither a process nor a job"});
        return false;
    }
    if (kill(static_cast<pid_t>(pid), signal) != 0) {
        complain({"kill: ", target, ": ", why()});
        return false;
    }
    // A stopped job could not die of it.
    bool stopped = job && job->state() == Process::State::Stopped;
    if (stopped && (signal == SIGTERM || signal == SIGHUP)) continue_job(job, false);
    return true;
}

}  // namespace

int run_jobs(const Strings& words) {
    bool groups = words.size() > 1 && words[1] == "-p",
         both = words.size() > 1 && words[1] == "-l";
    while (reap(false)) {
    }
    std::string list;
    for (const Shared<Job>& job : all_jobs()) {
        if (job->number == 0) continue;
        std::string pid = std::to_string(job->processes[0].pid);
        std::string line = describe(job);
        if (both) line.insert(line.find(' '), " " + pid);
        list += (groups ? pid : line) + "\n";
        job->changed = false;
        if (job->state() == Process::State::Ended) forget_job(job);
    }
    return print(list);
}

int run_fg(const Strings& words) {
    Shared<Job> job = named_job(words);
    if (!job) return 1;
    continue_job(job, true);
    return wait_in_foreground(job);
}

int run_bg(const Strings& words) {
    Shared<Job> job = named_job(words);
    if (!job) return 1;
    continue_job(job, false);
    write_all(2, "[" + std::to_string(job->number) + "]+ " + job->text + " &\n");
    return 0;
}

int run_wait(const Strings& words) {
    int status = 0;
    if (words.size() == 1) {
        for (const Shared<Job>& job : all_jobs()) {
            if (job->number == 0 || job->state() == Process::State::Stopped) continue;
            status = wait_for_end(job);
            if (shell.interrupted || trap_is_pending()) return status;
        }
        return 0;
    }
    for (size_t i = 1; i < words.size(); ++i) {
        long pid = 0;
        bool number = parse_number(words[i], pid);
        Shared<Job> job = number ? job_of(static_cast<pid_t>(pid)) : find_job(words[i]);
        status = job ? wait_for_end(job) : 127;
    }
    return status;
}

int run_kill(const Strings& words) {
    int signal = SIGTERM;
    size_t first = 1;
    if (words.size() > 1 && words[1] == "-l") {
        long number;
        if (words.size() == 2) return print(signal_list());
        if (!parse_number(words[2], number)) number = -1;
        return print(signal_name(static_cast<int>(number & 127)) + "\n");
    }
    if (words.size() > 1 && words[1] == "--") {
        first = 2;
    } else if (words.size() > 1 && words[1].starts_with('-')) {
        bool apart = words[1] == "-s" || words[1] == "-n";
        std::string name =
            apart ? (words.size() > 2 ? words[2] : "") : words[1].substr(1);
        signal = name == "EXIT" ? -1 : signal_number(name);
        first = apart ? 3 : 2;
        if (signal < 0) {
            complain({"kill: ", name, ": no such signal"});
            return 1;
        }
    }
    if (first >= words.size()) {
        complain({"kill: whom? kill [-SIGNAL] PID or %JOB ..."});
        return 2;
    }
    bool sent = true;
    for (size_t i = first; i < words.size(); ++i) sent &= send(words[i], signal);
    return sent ? 0 : 1;
}
