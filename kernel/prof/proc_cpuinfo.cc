// /proc/cpuinfo: a paragraph a CPU, in the form that Linux gives it on x86. All CPUs are of
// one kind, so CPUID is asked on the one that runs.
#include "kernel/arch/cpu.h"
#include "kernel/arch/features.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/prof/proc_files.h"

namespace {

enum class Register : uint8_t { Ebx, Ecx, Edx };
// CPUID bits (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E), by their Linux names.
struct Flag {
    const char* name;
    uint32_t leaf;
    Register where;
    uint8_t bit;
};
constexpr uint32_t kBasic = 1, kExtended = 7, kAmd = 0x80000001;
constexpr Flag kFlags[] = {
    {"fpu", kBasic, Register::Edx, 0},       {"tsc", kBasic, Register::Edx, 4},
    {"msr", kBasic, Register::Edx, 5},       {"pae", kBasic, Register::Edx, 6},
    {"apic", kBasic, Register::Edx, 9},      {"pge", kBasic, Register::Edx, 13},
    {"cmov", kBasic, Register::Edx, 15},     {"pat", kBasic, Register::Edx, 16},
    {"mmx", kBasic, Register::Edx, 23},      {"fxsr", kBasic, Register::Edx, 24},
    {"sse", kBasic, Register::Edx, 25},      {"sse2", kBasic, Register::Edx, 26},
    {"syscall", kAmd, Register::Edx, 11},    {"nx", kAmd, Register::Edx, 20},
    {"pdpe1gb", kAmd, Register::Edx, 26},    {"rdtscp", kAmd, Register::Edx, 27},
    {"lm", kAmd, Register::Edx, 29},         {"pni", kBasic, Register::Ecx, 0},
    {"ssse3", kBasic, Register::Ecx, 9},     {"pcid", kBasic, Register::Ecx, 17},
    {"sse4_1", kBasic, Register::Ecx, 19},   {"sse4_2", kBasic, Register::Ecx, 20},
    {"x2apic", kBasic, Register::Ecx, 21},   {"popcnt", kBasic, Register::Ecx, 23},
    {"aes", kBasic, Register::Ecx, 25},      {"xsave", kBasic, Register::Ecx, 26},
    {"avx", kBasic, Register::Ecx, 28},      {"rdrand", kBasic, Register::Ecx, 30},
    {"hypervisor", kBasic, Register::Ecx, 31}, {"fsgsbase", kExtended, Register::Ebx, 0},
    {"bmi1", kExtended, Register::Ebx, 3},   {"avx2", kExtended, Register::Ebx, 5},
    {"smep", kExtended, Register::Ebx, 7},   {"erms", kExtended, Register::Ebx, 9},
    {"rdseed", kExtended, Register::Ebx, 18}, {"smap", kExtended, Register::Ebx, 20},
    {"umip", kExtended, Register::Ecx, 2},
};

bool has_leaf(uint32_t leaf) { return x86::cpuid(leaf & 0x80000000).eax >= leaf; }

void write_flags(ProcText& out) {
    for (const Flag& flag : kFlags) {
        if (!has_leaf(flag.leaf)) continue;
        x86::CpuidResult r = x86::cpuid(flag.leaf);
        uint32_t value = flag.where == Register::Ebx   ? r.ebx
                         : flag.where == Register::Ecx ? r.ecx
                                                       : r.edx;
        if (((value >> flag.bit) & 1) != 0) format(out, " %s", flag.name);
    }
}

}  // namespace

void proc_write_cpuinfo(ProcText& out) {
    // Family and model have an extension field each (Intel SDM vol. 2, CPUID leaf 1, EAX).
    uint32_t signature = x86::cpuid(kBasic).eax;
    uint32_t family = (signature >> 8) & 15, model = (signature >> 4) & 15;
    if (family == 6 || family == 15) model |= (signature >> 12) & 0xf0;
    if (family == 15) family += (signature >> 20) & 0xff;
    const uint64_t khz = tsc_hz() / 1000;
    for (uint32_t i = 0; i < cpu_count; ++i) {
        if (!cpus[i].online.load(std::memory_order_relaxed)) continue;
        format(out, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\n", i,
               cpu_features.vendor, family);
        format(out, "model\t\t: %u\nmodel name\t: %s\nstepping\t: %u\n", model,
               cpu_features.brand, signature & 15);
        format(out, "cpu MHz\t\t: %lu.%03lu\napicid\t\t: %u\nflags\t\t:", khz / 1000,
               khz % 1000, cpus[i].apic_id);
        write_flags(out);
        format(out, "\nbogomips\t: %lu.%02lu\naddress sizes\t: %u bits physical, 48 bits "
               "virtual\n\n", khz / 500, khz % 500 / 5, cpu_features.physical_bits);
    }
}
