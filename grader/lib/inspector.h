// Looks into a running QEMU from outside: registers, physical memory, page tables,
// descriptor tables and MSRs. What a suite learns here does not depend on what the kernel
// under test says.
//
// The first call stops the machine; it goes on when the Inspector is destroyed or resume()
// is called. Connecting costs guest time, so figures are never measured with it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grader/lib/gdb_client.h"
#include "grader/lib/qmp.h"
#include "grader/lib/symbols.h"
#include "grader/lib/util.h"

struct CpuState {
    int id;
    bool halted;
    int ring;  // 0..3
    uint64_t rip, rsp, rbp, rflags;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t fs_base, gs_base, kernel_gs_base;
    uint16_t cs, ss, tr;
    uint64_t tss_base;
    uint64_t gdt_base, idt_base;
    uint32_t gdt_limit, idt_limit, tss_limit;
};

// One mapped range of an address space, found by walking the tables in physical memory.
struct Mapping {
    uint64_t start, end;  // virtual
    uint64_t physical;    // of the start
    uint64_t page_size;
    bool write, user, execute, global;  // combined over all levels
    uint64_t entry;                     // the leaf
};

class Inspector {
  public:
    Inspector(const fs::path& qmp_socket, const fs::path& gdb_socket, int cpus);

    int cpu_count() const { return cpus_; }
    void stop();
    void resume();
    std::vector<CpuState> cpus();  // all of them
    CpuState cpu(int id);
    std::string monitor(const std::string& command);
    void inject_nmi();  // into every CPU

    bool read_physical(uint64_t address, void* out, size_t size);
    bool write_physical(uint64_t address, const void* data, size_t size);
    bool read_virtual(int cpu, uint64_t address, void* out, size_t size);
    // Reads through other tables than the CPU's current ones.
    bool read_space(uint64_t cr3, uint64_t address, void* out, size_t size);
    bool write_space(uint64_t cr3, uint64_t address, const void* data, size_t size);

    // The leaf that maps `address` in the tables at `cr3`.
    std::optional<Mapping> translate(uint64_t cr3, uint64_t address);
    // All leaves between `start` and `end` (canonical), adjacent pages of the same rights
    // and consecutive frames merged.
    std::vector<Mapping> mappings(uint64_t cr3, uint64_t start, uint64_t end);

    // Reads an MSR: lets the CPU execute an RDMSR that is patched over its next instruction
    // and then taken back. The CPU must be in ring 0: see run_to.
    uint64_t read_msr(int cpu, uint32_t number);
    // Lets the machine run until some CPU reaches `address` in the kernel; that CPU, or -1
    // after `seconds`.
    int run_to(uint64_t address, double seconds);
    void step(int cpu);
    uint64_t read_register(int cpu, int number);  // numbers: gdb_client.h
    void write_register(int cpu, int number, uint64_t value);

  private:
    GdbClient& gdb();

    fs::path gdb_socket_;
    Qmp qmp_;
    std::unique_ptr<GdbClient> gdb_;
    int cpus_;
    bool stopped_ = false;
};

// One paragraph a CPU: halted or where it runs, with a backtrace when in the kernel.
std::string describe_cpus(Inspector& inspector, const Symbols& symbols);
