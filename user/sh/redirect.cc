#include "user/sh/redirect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "user/sh/expand.h"
#include "user/sh/shell.h"

namespace {

// The reading end of a pipe with the text in it. What a pipe may not hold is written by a
// child; whoever waits for children takes it for nobody's.
int here_pipe(const std::string& text) {
    int ends[2];
    if (pipe(ends) != 0) return -1;
    if (text.size() <= PIPE_BUF) {
        write_all(ends[1], text);
    } else if (fork() == 0) {
        close(ends[0]);
        write_all(ends[1], text);
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

int open_target(Redirect::Kind kind, const std::string& path) {
    switch (kind) {
        case Redirect::Kind::Write:
            return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
        case Redirect::Kind::Append:
            return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
        case Redirect::Kind::ReadWrite: return open(path.c_str(), O_RDWR | O_CREAT, 0666);
        default: return open(path.c_str(), O_RDONLY);
    }
}

}  // namespace

bool Redirections::apply(const std::vector<Redirect>& redirects) {
    for (const Redirect& redirect : redirects) {
        if (!apply(redirect)) return false;
    }
    return true;
}

bool Redirections::apply(const Redirect& redirect) {
    bool here = redirect.kind == Redirect::Kind::Here;
    std::string target = expand_text(here ? redirect.here->body : redirect.target);
    if (shell.flow != Flow::Normal) return false;
    if (redirect.kind == Redirect::Kind::Duplicate) {
        save(redirect.fd);
        long from;
        if (target == "-") {
            close(redirect.fd);
        } else if (!parse_number(target, from) || from < 0 || from >= kOwnDescriptors) {
            complain({target, ": not a descriptor from 0 to 9"});
            return false;
        } else if (dup2(static_cast<int>(from), redirect.fd) < 0) {
            complain({target, ": ", why()});
            return false;
        }
        return true;
    }
    int opened = here ? here_pipe(target) : open_target(redirect.kind, target);
    if (opened < 0) {
        complain({here ? "<<" : target, ": ", why()});
        return false;
    }
    if (opened != redirect.fd) {
        // Saved after the open: a closed descriptor may have become the opened one.
        save(redirect.fd);
        dup2(opened, redirect.fd);
        close(opened);
    } else {
        saved_.push_back({redirect.fd, -1});
    }
    return true;
}

void Redirections::save(int fd) {
    saved_.push_back({fd, fcntl(fd, F_DUPFD_CLOEXEC, kOwnDescriptors)});
}

void Redirections::keep() {
    for (Saved& saved : saved_) {
        if (saved.copy >= 0) close(saved.copy);
    }
    saved_.clear();
}

void Redirections::undo() {
    for (size_t i = saved_.size(); i-- > 0;) {
        if (saved_[i].copy >= 0) {
            dup2(saved_[i].copy, saved_[i].fd);
            close(saved_[i].copy);
        } else {
            close(saved_[i].fd);
        }
    }
    saved_.clear();
}
