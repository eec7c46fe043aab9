#include "grader/lib/gdb_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "grader/lib/qmp.h"

namespace {

constexpr size_t kChunk = 1024;  // bytes of memory a packet

std::string to_hex(const void* data, size_t size) {
    std::string text;
    for (size_t i = 0; i < size; ++i) {
        char digits[3];
        snprintf(digits, sizeof digits, "%02x", static_cast<const unsigned char*>(data)[i]);
        text += digits;
    }
    return text;
}

bool from_hex(std::string_view text, void* out, size_t size) {
    if (text.size() < size * 2) return false;
    for (size_t i = 0; i < size; ++i) {
        char digits[3] = {text[i * 2], text[i * 2 + 1], 0};
        char* end;
        static_cast<unsigned char*>(out)[i] =
            static_cast<unsigned char>(strtoul(digits, &end, 16));
        if (*end != 0) return false;
    }
    return true;
}

std::string format_packet(const char* format, uint64_t a, uint64_t b) {
    char text[64];
    snprintf(text, sizeof text, format, static_cast<unsigned long long>(a),
             static_cast<unsigned long long>(b));
    return text;
}

}  // namespace

GdbClient::GdbClient(const fs::path& socket) : fd_(connect_unix(socket)) {
    // Feature negotiation makes the stub offer the control registers. A machine that was
    // running first reports that it stopped.
    send("qSupported:xmlRegisters=i386");
    for (std::string answer; !answer.starts_with("PacketSize");) {
        answer = receive();
        if (answer.empty()) throw InfraError("the gdb stub does not answer");
    }
    command("qXfer:features:read:target.xml:0,ffb");
    command("?");
}

GdbClient::~GdbClient() {
    try {
        if (running_) stop();
        physical_mode(false);
        command("D");
    } catch (const InfraError&) {
        // The machine has ended; nothing to detach from.
    }
    close(fd_);
}

void GdbClient::send(std::string_view payload) {
    unsigned sum = 0;
    for (char c : payload) sum += static_cast<unsigned char>(c);
    char tail[4];
    snprintf(tail, sizeof tail, "#%02x", sum & 0xff);
    std::string packet = "$" + std::string(payload) + tail;
    if (::send(fd_, packet.data(), packet.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(packet.size())) {
        throw InfraError("the gdb stub hung up");
    }
}

std::string GdbClient::receive(double seconds) {
    double end = monotonic_seconds() + seconds;
    for (;;) {
        size_t start = buffer_.find('$');
        size_t hash = start == buffer_.npos ? buffer_.npos : buffer_.find('#', start);
        if (hash != buffer_.npos && buffer_.size() >= hash + 3) {
            std::string payload = buffer_.substr(start + 1, hash - start - 1);
            buffer_.erase(0, hash + 3);
            if (::send(fd_, "+", 1, MSG_NOSIGNAL) != 1) throw InfraError("the gdb stub hung up");
            return payload;
        }
        double left = end - monotonic_seconds();
        pollfd ready{fd_, POLLIN, 0};
        if (left <= 0 || poll(&ready, 1, static_cast<int>(left * 1000) + 1) <= 0) return {};
        char chunk[8192];
        ssize_t got = read(fd_, chunk, sizeof chunk);
        if (got <= 0) throw InfraError("the gdb stub hung up");
        buffer_.append(chunk, static_cast<size_t>(got));
    }
}

std::string GdbClient::command(std::string_view payload) {
    send(payload);
    return receive();
}

void GdbClient::stop() {
    if (!running_) return;
    if (::send(fd_, "\x03", 1, MSG_NOSIGNAL) != 1) throw InfraError("the gdb stub hung up");
    if (receive().empty()) throw InfraError("the machine does not stop");
    running_ = false;
}

void GdbClient::resume() {
    physical_mode(false);
    send("vCont;c");
    running_ = true;
}

void GdbClient::step(int cpu) {
    physical_mode(false);
    send("vCont;s:" + format_packet("%llx", static_cast<uint64_t>(cpu) + 1, 0));
    if (receive().empty()) throw InfraError("the machine does not step");
}

int GdbClient::resume_until_break(double seconds) {
    resume();
    std::string reply = receive(seconds);
    if (reply.empty()) {
        stop();
        return -1;
    }
    running_ = false;
    size_t thread = reply.find("thread:");
    return thread == reply.npos
               ? 0
               : static_cast<int>(strtol(reply.c_str() + thread + 7, nullptr, 16)) - 1;
}

void GdbClient::select(int cpu) {
    if (selected_ == cpu) return;
    command("Hg" + format_packet("%llx", static_cast<uint64_t>(cpu) + 1, 0));
    selected_ = cpu;
}

uint64_t GdbClient::read_register(int cpu, int number) {
    select(cpu);
    std::string text = command("p" + format_packet("%llx", static_cast<uint64_t>(number), 0));
    uint64_t value = 0;
    if (text.empty() || text[0] == 'E' ||
        !from_hex(text, &value, std::min<size_t>(text.size() / 2, 8))) {
        throw InfraError("the gdb stub has no register " + std::to_string(number));
    }
    return value;
}

void GdbClient::write_register(int cpu, int number, uint64_t value) {
    select(cpu);
    std::string answer = command("P" + format_packet("%llx=", static_cast<uint64_t>(number), 0) +
                                 to_hex(&value, sizeof value));
    if (answer != "OK") throw InfraError("the gdb stub cannot write a register");
}

void GdbClient::physical_mode(bool on) {
    if (physical_ == on) return;
    command(on ? "Qqemu.PhyMemMode:1" : "Qqemu.PhyMemMode:0");
    physical_ = on;
}

bool GdbClient::read_bytes(uint64_t address, void* out, size_t size) {
    auto* bytes = static_cast<char*>(out);
    while (size > 0) {
        size_t part = std::min(size, kChunk);
        std::string text = command(format_packet("m%llx,%llx", address, part));
        if (text.empty() || text[0] == 'E' || !from_hex(text, bytes, part)) return false;
        address += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool GdbClient::write_bytes(uint64_t address, const void* data, size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    while (size > 0) {
        size_t part = std::min(size, kChunk);
        if (command(format_packet("M%llx,%llx:", address, part) + to_hex(bytes, part)) != "OK") {
            return false;
        }
        address += part;
        bytes += part;
        size -= part;
    }
    return true;
}

bool GdbClient::read_virtual(int cpu, uint64_t address, void* out, size_t size) {
    physical_mode(false);
    select(cpu);
    return read_bytes(address, out, size);
}

bool GdbClient::write_virtual(int cpu, uint64_t address, const void* data, size_t size) {
    physical_mode(false);
    select(cpu);
    return write_bytes(address, data, size);
}

bool GdbClient::read_physical(uint64_t address, void* out, size_t size) {
    physical_mode(true);
    return read_bytes(address, out, size);
}

bool GdbClient::write_physical(uint64_t address, const void* data, size_t size) {
    physical_mode(true);
    return write_bytes(address, data, size);
}

void GdbClient::set_breakpoint(uint64_t address) {
    if (command(format_packet("Z1,%llx,%llx", address, 1)) != "OK") {
        throw InfraError("cannot set a breakpoint");
    }
}

void GdbClient::remove_breakpoint(uint64_t address) {
    command(format_packet("z1,%llx,%llx", address, 1));
}
