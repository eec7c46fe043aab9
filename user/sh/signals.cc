#include "user/sh/signals.h"

#include <signal.h>

#include "user/sh/shell.h"
#include "user/sh/source.h"

namespace {

constexpr int kSignals = 65;
constexpr std::string_view kNames[] = {
    "EXIT",   "HUP",  "INT",    "QUIT", "ILL",   "TRAP", "ABRT", "BUS",
    "FPE",    "KILL", "USR1",   "SEGV", "USR2",  "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT",   "STOP", "TSTP",  "TTIN", "TTOU", "URG",
    "XCPU",   "XFSZ", "VTALRM", "PROF", "WINCH", "IO",   "PWR",  "SYS"};

struct Trap {
    bool set = false;
    std::string text;
};
Trap traps[kSignals];
volatile sig_atomic_t came[kSignals];
volatile sig_atomic_t any_came;
bool for_terminal = false;

void dispose(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigaction(signal, &action, nullptr);
}

void on_trapped(int signal) {
    came[signal] = 1;
    any_came = 1;
}

void on_interrupt(int) { shell.interrupted = 1; }

// Without a trap.
void dispose_default(int signal) {
    bool ignored = signal == SIGQUIT || signal == SIGTERM || signal == SIGTSTP ||
                   signal == SIGTTIN || signal == SIGTTOU;
    if (for_terminal && signal == SIGINT) {
        dispose(signal, on_interrupt);
    } else {
        dispose(signal, for_terminal && ignored ? SIG_IGN : SIG_DFL);
    }
}

}  // namespace

void signals_for_terminal() {
    for_terminal = true;
    for (int signal : {SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU}) {
        dispose_default(signal);
    }
}

void signals_for_child(bool job) {
    bool terminal = for_terminal;
    for_terminal = false;
    for (int signal = 0; signal < kSignals; ++signal) {
        if (!traps[signal].set || (signal != 0 && traps[signal].text.empty())) continue;
        traps[signal] = Trap();
        if (signal != 0) dispose_default(signal);
    }
    if (!terminal) return;
    for (int signal : {SIGINT, SIGQUIT, SIGTERM}) {
        if (!traps[signal].set) dispose_default(signal);
    }
    // Elsewhere nobody could continue it.
    if (!job) return;
    for (int signal : {SIGTSTP, SIGTTIN, SIGTTOU}) {
        if (!traps[signal].set) dispose_default(signal);
    }
}

int signal_number(std::string_view name) {
    long number;
    if (parse_number(name, number))
        return number >= 0 && number < kSignals ? static_cast<int>(number) : -1;
    if (name.starts_with("SIG")) name.remove_prefix(3);
    for (size_t i = 0; i < std::size(kNames); ++i) {
        if (kNames[i] == name) return static_cast<int>(i);
    }
    return -1;
}

std::string signal_name(int signal) {
    auto index = static_cast<size_t>(signal);
    return index < std::size(kNames) ? std::string(kNames[index])
                                     : std::to_string(signal);
}

void set_trap(int signal, const std::string* text) {
    traps[signal] = text ? Trap{true, *text} : Trap();
    if (signal == 0) return;
    if (!text) {
        dispose_default(signal);
    } else {
        dispose(signal, text->empty() ? SIG_IGN : on_trapped);
    }
}

std::string list_traps() {
    std::string list;
    for (int signal = 0; signal < kSignals; ++signal) {
        if (!traps[signal].set) continue;
        list +=
            "trap -- " + quoted(traps[signal].text) + " " + signal_name(signal) + "\n";
    }
    return list;
}

bool trap_is_pending() { return any_came; }

void run_traps() {
    if (!any_came) return;
    any_came = 0;
    for (int signal = 1; signal < kSignals; ++signal) {
        if (!came[signal]) continue;
        came[signal] = 0;
        int status = shell.status;
        std::string text = traps[signal].text;
        run_text(text);
        if (shell.flow == Flow::Normal) shell.status = status;
    }
}

bool has_exit_trap() { return traps[0].set; }

void run_exit_trap() {
    if (!traps[0].set) return;
    std::string text = traps[0].text;
    traps[0] = Trap();
    shell.flow = Flow::Normal;
    int status = shell.status;
    run_text(text);
    if (shell.flow != Flow::Exit) shell.status = status;
}
