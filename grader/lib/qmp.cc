#include "grader/lib/qmp.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

using nlohmann::json;

int connect_unix(const fs::path& path, double seconds) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.string().size() >= sizeof address.sun_path) {
        throw InfraError("the socket's path is too long: " + path.string());
    }
    strcpy(address.sun_path, path.c_str());
    double end = monotonic_seconds() + seconds;
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
        close(fd);
        if (monotonic_seconds() > end) {
            throw InfraError("nobody listens at " + path.string());
        }
        sleep_seconds(0.02);
    }
}

Qmp::Qmp(const fs::path& socket) : fd_(connect_unix(socket)) {
    read_line();  // greeting
    exchange(R"({"execute":"qmp_capabilities"})");
}

Qmp::~Qmp() { close(fd_); }

std::string Qmp::read_line() {
    for (;;) {
        size_t end = buffer_.find('\n');
        if (end != buffer_.npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        pollfd ready{fd_, POLLIN, 0};
        char chunk[65536];
        ssize_t got = poll(&ready, 1, 20000) > 0 ? read(fd_, chunk, sizeof chunk) : 0;
        if (got <= 0) throw InfraError("QEMU does not answer on its QMP socket");
        buffer_.append(chunk, static_cast<size_t>(got));
    }
}

std::string Qmp::exchange(const std::string& request) {
    std::string line = request + "\n";
    if (send(fd_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
        throw InfraError("cannot write to QEMU's QMP socket");
    }
    for (;;) {
        json answer = json::parse(read_line(), nullptr, false);
        if (answer.contains("event")) continue;  // asynchronous, not for us
        if (answer.contains("error")) {
            throw InfraError("QMP: " + answer["error"].value("desc", "unknown error"));
        }
        const json& value = answer["return"];
        return value.is_string() ? value.get<std::string>() : value.dump();
    }
}

std::string Qmp::monitor(const std::string& command) {
    json request = {{"execute", "human-monitor-command"},
                    {"arguments", {{"command-line", command}}}};
    return exchange(request.dump());
}

void Qmp::execute(const std::string& command) {
    exchange(json{{"execute", command}}.dump());
}
