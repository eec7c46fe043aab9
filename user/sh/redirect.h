// Redirections, and putting back what they changed.
#pragma once
#include <vector>

#include "user/sh/syntax.h"

class Redirections {
  public:
    Redirections() = default;
    Redirections(const Redirections&) = delete;
    Redirections& operator=(const Redirections&) = delete;
    ~Redirections() { undo(); }

    // In order. False, after a complaint, at the first that fails; those before it stay.
    bool apply(const std::vector<Redirect>& redirects);
    // What was changed stays (exec).
    void keep();

  private:
    struct Saved {
        int fd, copy;  // -1: it was closed
    };
    bool apply(const Redirect& redirect);
    void save(int fd);
    void undo();
    std::vector<Saved> saved_;
};

// The lowest descriptor for the shell's own use; scripts have those below.
constexpr int kOwnDescriptors = 10;
