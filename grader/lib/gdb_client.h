// A small client of QEMU's gdb stub (the GDB remote serial protocol): registers, memory,
// breakpoints and single steps of a stopped machine. A virtual CPU is a thread there;
// we count them from 0.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "grader/lib/util.h"

class GdbClient {
  public:
    // Connecting stops the machine.
    explicit GdbClient(const fs::path& socket);
    ~GdbClient();  // detaches: the machine goes on
    GdbClient(const GdbClient&) = delete;
    GdbClient& operator=(const GdbClient&) = delete;

    void stop();
    void resume();
    // Runs one instruction on this CPU while all others stand still; interrupts are held.
    void step(int cpu);
    // Waits until a breakpoint is hit; the CPU that hit it, or -1 after `seconds`, when the
    // machine is stopped by us instead.
    int resume_until_break(double seconds);

    // Numbers are QEMU's: 0..15 rax rbx rcx rdx rsi rdi rbp rsp r8.., 16 rip, 17 eflags,
    // 18..23 cs ss ds es fs gs, 24 fs_base, 25 gs_base, 26 k_gs_base, 27 cr0, 28 cr2,
    // 29 cr3, 30 cr4, 31 cr8, 32 efer.
    uint64_t read_register(int cpu, int number);
    void write_register(int cpu, int number, uint64_t value);

    // Virtual addresses are as `cpu` sees them now. False where nothing is mapped.
    bool read_virtual(int cpu, uint64_t address, void* out, size_t size);
    bool write_virtual(int cpu, uint64_t address, const void* data, size_t size);
    bool read_physical(uint64_t address, void* out, size_t size);
    bool write_physical(uint64_t address, const void* data, size_t size);

    void set_breakpoint(uint64_t address);
    void remove_breakpoint(uint64_t address);

  private:
    void send(std::string_view payload);
    std::string receive(double seconds = 20);
    std::string command(std::string_view payload);
    void select(int cpu);
    void physical_mode(bool on);
    bool read_bytes(uint64_t address, void* out, size_t size);
    bool write_bytes(uint64_t address, const void* data, size_t size);

    int fd_;
    std::string buffer_;
    int selected_ = -1;
    bool physical_ = false;
    bool running_ = false;
};
