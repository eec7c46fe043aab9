// Jobs: the processes of one pipeline. With job control (set -m, a terminal) each has a
// process group of its own; the one in the foreground owns the terminal, and any may be
// stopped and continued. Without it they all stay in the shell's group.
#pragma once
#include <sys/types.h>
#include <termios.h>

#include <string>
#include <string_view>
#include <vector>

#include "user/sh/syntax.h"

struct Process {
    enum class State : char { Running, Stopped, Ended };
    pid_t pid;
    State state = State::Running;
    int status = 0;  // as waitpid says
};

struct Job {
    int number = 0;  // of %number, 0 as long as it is in the foreground
    pid_t group = 0;
    bool foreground = true;
    bool changed = false;       // and nobody was told yet
    unsigned long recency = 0;  // of being stopped or put into the background
    std::vector<Process> processes;
    std::string text;
    bool has_modes = false;
    termios modes;  // of the terminal, when it was stopped
    int owners = 0;

    Process::State state() const;
    int status() const;  // as $? has it, of the last process
};

// Takes the terminal on descriptor 0; without one that can be controlled, says so.
void start_job_control();

Shared<Job> new_job(std::string_view text, bool foreground);
// fork(2) into the job (null: a child that is none: a command substitution). In the child
// the state is that of a subshell. -1 after a complaint.
pid_t fork_into(Job* job);

// Waits for a job in the foreground to end or stop, has the terminal back, tells the user
// what is worth it. Returns $?.
int wait_in_foreground(const Shared<Job>& job);
// Gives it a number, sets $!, and tells the user.
void put_into_background(const Shared<Job>& job);
// Lets a stopped job run on; one in the foreground gets the terminal and is named there.
void continue_job(const Shared<Job>& job, bool foreground);

// Takes note of children that ended or stopped; waits for one when `block`. False when
// there was none, or a signal came.
bool reap(bool block);
// Waits for one child that is no job.
int wait_for_child(pid_t pid);

// %1 %+ %% %- %text %?text, or nothing: the current one. Null when there is none.
Shared<Job> find_job(std::string_view name);
Shared<Job> job_of(pid_t pid);
std::vector<Shared<Job>> all_jobs();
bool has_stopped_jobs();
void forget_job(const Shared<Job>& job);
// "[1]+ Stopped sleep 100"
std::string describe(const Shared<Job>& job);
// Tells of jobs that ended or stopped unasked, forgets the ended ones.
void report_changes();
