// QEMU's machine protocol (QMP): JSON over a socket, and through it the human monitor.
#pragma once
#include <string>

#include "grader/lib/util.h"

// A connected Unix socket; InfraError when nobody listens within `seconds`.
int connect_unix(const fs::path& path, double seconds = 5);

class Qmp {
  public:
    explicit Qmp(const fs::path& socket);
    ~Qmp();
    Qmp(const Qmp&) = delete;
    Qmp& operator=(const Qmp&) = delete;

    // A command of the human monitor ("info registers -a"), its text as answer.
    std::string monitor(const std::string& command);
    // A QMP command without arguments: "stop", "cont", "inject-nmi".
    void execute(const std::string& command);

  private:
    std::string exchange(const std::string& request);
    std::string read_line();

    int fd_;
    std::string buffer_;
};
