// /proc/cpuinfo: a paragraph a CPU, in the form that Linux gives it on x86. All CPUs are
// of one kind, so CPUID is asked on the one that runs.
#include "kernel/arch/cpu.h"
#include "kernel/arch/features.h"
#include "kernel/arch/tsc.h"
#include "kernel/arch/x86.h"
#include "kernel/prof/proc_files.h"

namespace {

// What every x86-64 has, by the names that Linux gives it; what cpu_features says comes behind.
constexpr const char* kAlways =
    "fpu tsc msr pae apic cmov pat mmx fxsr sse sse2 syscall lm";

void write_flags(ProcText& out) {
    const CpuFeatures& f = cpu_features;
    const struct {
        bool present;
        const char* name;
    } flags[] = {
        {f.nx, "nx"},           {f.pge, "pge"},         {f.smep, "smep"},
        {f.smap, "smap"},       {f.umip, "umip"},       {f.fsgsbase, "fsgsbase"},
        {f.x2apic, "x2apic"},   {f.pcid, "pcid"},       {f.large_1g, "pdpe1gb"},
        {f.rdrand, "rdrand"},   {f.erms, "erms"},       {f.tsc_deadline, "tsc_deadline_timer"},
        {f.xsave, "xsave"},     {f.xsaveopt, "xsaveopt"}, {f.avx, "avx"},
        {f.invariant_tsc, "constant_tsc nonstop_tsc"}, {f.hypervisor, "hypervisor"},
    };
    format(out, "%s", kAlways);
    for (const auto& flag : flags)
        if (flag.present) format(out, " %s", flag.name);
}

}  // namespace

void proc_write_cpuinfo(ProcText& out, ProcessView&) {
    // Family and model have an extension field each (Intel SDM vol. 2, CPUID leaf 1,
    // EAX).
    uint32_t signature = x86::cpuid(1).eax;
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
        format(out, "cpu MHz\t\t: %lu.%03lu\napicid\t\t: %u\nflags\t\t: ", khz / 1000,
               khz % 1000, cpus[i].apic_id);
        write_flags(out);
        format(out, "\nbogomips\t: %lu.%02lu\naddress sizes\t: %u bits physical, 48 bits "
               "virtual\n\n", khz / 500, khz % 500 / 5, cpu_features.physical_bits);
    }
}
