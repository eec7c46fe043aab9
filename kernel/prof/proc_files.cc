// The files of /proc, about the whole system and about each process (proc(5)).
//
// Locks: process_tree keeps a Process alive; its spin lock guards the pointers to what it
// owns. ProcessView takes references under both and gives both up, so the slow part (page
// tables, path names, formatting) holds neither.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "kernel/arch/apic.h"
#include "kernel/arch/tsc.h"
#include "kernel/base/command_line.h"
#include "kernel/drivers/drivers.h"
#include "kernel/metrics/latency.h"
#include "kernel/prof/proc_files.h"
#include "kernel/prof/sampler.h"
#include "kernel/tty/terminal.h"

namespace {

// ---- The whole system ----

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kKibPerPage = kPageSize / 1024;

void write_uptime(ProcText& out, ProcessView&) {
    uint64_t idle = 0;
    for (uint32_t i = 0; i < cpu_count; ++i) idle += scheduler_cpu_usage(i).idle_ns;
    const uint64_t up = monotonic_ns();
    constexpr uint64_t kHundredth = kSecond / 100;
    format(out, "%lu.%02lu %lu.%02lu\n", up / kSecond, up % kSecond / kHundredth,
           idle / kSecond, idle % kSecond / kHundredth);
}

// ---- The load average ----

// How many threads ran or wanted to, averaged over 1, 5 and 15 minutes
// with exponentially falling weight. Sampled every 5 s by a timer, in fixed point: with
// 11 bits behind the point, load = load * e^(-5 s / T) + runnable * (1 - e^(-5 s / T)).
constexpr uint64_t kSamplePeriodNs = 5'000'000'000;
constexpr uint64_t kOne = 1 << 11;
// 2048 * e^(-5/60), e^(-5/300), e^(-5/900)
constexpr uint64_t kDecay[3] = {1884, 2014, 2037};

std::atomic<uint64_t> loads[3];

void sample_load(Timer& timer) {
    uint64_t runnable = scheduler_runnable_count() * kOne;
    for (int i = 0; i < 3; ++i) {
        uint64_t load = loads[i].load(std::memory_order_relaxed);
        load = (load * kDecay[i] + runnable * (kOne - kDecay[i])) / kOne;
        loads[i].store(load, std::memory_order_relaxed);
    }
    timer.deadline_ns += kSamplePeriodNs;
    timer_start(timer);
}

Timer load_timer;

// Threads by what they do, and the number of the newest process.
struct Census {
    uint32_t threads = 0, running = 0, blocked = 0;
    int32_t last_pid = 0;
};

Census take_census() {
    Census census;
    RcuReader reader;
    for (Process& process : all_processes) {
        census.last_pid = process.pid;
        SpinGuard guard(process.lock);
        for (Thread& thread : process.threads) {
            ThreadState state = thread.state.load(std::memory_order_relaxed);
            ++census.threads;
            if (state == ThreadState::Running) ++census.running;
            if (state == ThreadState::UninterruptibleAsleep) ++census.blocked;
        }
    }
    return census;
}

void write_loadavg(ProcText& out, ProcessView&) {
    for (const std::atomic<uint64_t>& load : loads) {
        uint64_t hundredths = load.load(std::memory_order_relaxed) * 100 / kOne;
        format(out, "%lu.%02lu ", hundredths / 100, hundredths % 100);
    }
    Census census = take_census();
    format(out, "%u/%u %d\n", census.running, census.threads, census.last_pid);
}

void write_stat(ProcText& out, ProcessView&) {
    CpuUsage usage[kMaxCpus];
    for (uint32_t i = 0; i < cpu_count; ++i) usage[i] = scheduler_cpu_usage(i);
    Census census = take_census();
    SystemSnapshot snapshot{
        .cpus = {usage, cpu_count},
        .interrupts = event_total(Event::TimerTicks) + event_total(Event::ShootdownIpis) +
                      event_total(Event::RescheduleIpis),
        .context_switches = event_total(Event::ContextSwitches),
        .boot_time = static_cast<uint64_t>(vfs_now().seconds) - monotonic_ns() / kSecond,
        .forks = event_total(Event::Forks),
        .running = census.running,
        .blocked = census.blocked,
    };
    format_system_stat(out, snapshot);
}

// ---- cpuinfo: a paragraph a CPU, in the form that Linux gives it on x86 ----
//
// All CPUs are of one kind, so CPUID is asked on the one that runs.

// What every x86-64 has, by the names that Linux gives it; what cpu_features says comes behind.
constexpr const char* kAlways = "fpu tsc msr pae apic cmov pat mmx fxsr sse sse2 syscall lm";

void write_flags(ProcText& out) {
    const CpuFeatures& f = cpu_features;
    const struct {
        bool present;
        const char* name;
    } flags[] = {
        {f.nx, "nx"},           {f.pge, "pge"},         {f.smep, "smep"},
        {f.smap, "smap"},       {f.umip, "umip"},       {f.fsgsbase, "fsgsbase"},
        {f.x2apic, "x2apic"},   {f.large_1g, "pdpe1gb"}, {f.rdrand, "rdrand"},
        {f.tsc_deadline, "tsc_deadline_timer"},         {f.xsave, "xsave"},     {f.avx, "avx"},
    };
    format(out, "%s", kAlways);
    for (const auto& flag : flags)
        if (flag.present) format(out, " %s", flag.name);
}

void write_cpuinfo(ProcText& out, ProcessView&) {
    // Family and model have an extension field each (Intel SDM vol. 2, CPUID leaf 1, EAX).
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
        format(out, "\nbogomips\t: %lu.%02lu\n\n", khz / 500, khz % 500 / 5);
    }
}

void write_meminfo(ProcText& out, ProcessView&) {
    const uint64_t total = frames_total(), free = memory_reclaim();
    // File pages are those of the root file system: memory is the only place they have.
    SpaceUse files = vfs_root()->file_system->space();
    const uint64_t cached = files.pages - files.free_pages;
    const struct {
        const char* name;
        uint64_t pages;
    } lines[] = {
        {"MemTotal:", total}, {"MemFree:", free}, {"MemAvailable:", free},
        {"Buffers:", 0},      {"Cached:", cached}, {"SwapCached:", 0},
        {"Shmem:", cached},   {"SReclaimable:", 0}, {"SwapTotal:", 0}, {"SwapFree:", 0},
    };
    for (const auto& line : lines)
        format(out, "%-16s%8lu kB\n", line.name, line.pages * kKibPerPage);
}

void write_mounts(ProcText& out, ProcessView&) {
    for (const Mount& mount : vfs_mounts()) {
        const char* type = mount.file_system->type_name;
        format(out, "%s %.*s %s rw 0 0\n", type, static_cast<int>(mount.path.size()),
               mount.path.data(), type);
    }
}

void write_filesystems(ProcText& out, ProcessView&) {
    for (const Mount& mount : vfs_mounts())
        format(out, "nodev\t%s\n", mount.file_system->type_name);
}

// A line a kind, a column a CPU: of what one CPU sends to another, the one that sent it.
void write_interrupts(ProcText& out, ProcessView&) {
    constexpr struct {
        const char* name;
        Event event;
        const char* text;
    } kKinds[] = {{"LOC", Event::TimerTicks, "Local timer interrupts"},
                  {"RES", Event::RescheduleIpis, "Rescheduling interrupts"},
                  {"TLB", Event::ShootdownIpis, "TLB shootdowns"}};
    format(out, "%11s", "");
    for (uint32_t i = 0; i < cpu_count; ++i) format(out, "CPU%-8u", i);
    for (const auto& kind : kKinds) {
        format(out, "\n%s: ", kind.name);
        for (uint32_t i = 0; i < cpu_count; ++i) format(out, "%10lu ", event_of(i, kind.event));
        format(out, "  %s", kind.text);
    }
    format(out, "\n");
}

// What vmstat(8) asks for, whose disks and swap are not there; in pages.
void write_vmstat(ProcText& out, ProcessView&) {
    format(out, "nr_free_pages %lu\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault %lu\n",
           frames_free(), event_total(Event::PageFaults));
}

void write_version(ProcText& out, ProcessView&) {
    format(out, "%s version %s (g++ %s) %s\n", kSystemName.sysname, kSystemName.release,
           __VERSION__, kSystemName.version);
}

void write_cmdline(ProcText& out, ProcessView&) {
    format(out, "%s\n", boot_info.command_line);
}

Mutex profile_mutex(LockRank::Pipe);  // one reader of the samples, one switch at a time

// ---- Latencies ----

constexpr const char* kLatencyNames[] = {"system_call", "page_fault", "fork", "exec",
    "terminal_read", "terminal_write", "signal_delivery", "context_switch"};
constexpr auto kLockWait = static_cast<uint32_t>(Latency::LockWait);
static_assert(std::size(kLatencyNames) == kLockWait);
constexpr uint32_t kLatencies = kLockWait + static_cast<uint32_t>(LockRank::Count);
static_assert(kLatencies <= kLatencyKinds);

// Calls visit(family, label, name, histogram) with what all CPUs counted: for each kind, and
// for the ranks that somebody waited for.
template <typename Visit>
void for_each_latency(Visit visit) REQUIRES(profile_mutex) {
    static Histogram all;
    for (uint32_t kind = 0; kind < kLatencies; ++kind) {
        all = {};
        for (uint32_t i = 0; i < cpu_count; ++i)
            if (cpus[i].latencies[kind] != nullptr) histogram_merge(all, *cpus[i].latencies[kind]);
        if (kind < kLockWait) visit("latency", "of", kLatencyNames[kind], all);
        else if (all.sum != 0)
            visit("lock_wait", "class", lock_rank_name(LockRank{kind - kLockWait}), all);
    }
}

// Gives a CPU histograms for all that can happen, empty.
Result<void> clear_latencies(Cpu& cpu) {
    for (uint32_t kind = 0; kind < kLatencies; ++kind) {
        Histogram*& one = cpu.latencies[kind];
        if (one == nullptr) one = static_cast<Histogram*>(kmalloc(sizeof(Histogram)));
        if (one == nullptr) return Error(ENOMEM);
        *one = {};
    }
    return {};
}

// Prometheus' text format: what the graders read, and any scraper could.
void write_metrics(ProcText& out, ProcessView&) {
    auto counter = [&](const char* name, uint64_t value) {
        format(out, "# TYPE mello_%s_total counter\nmello_%s_total %lu\n", name, name, value);
    };
    auto gauge = [&](const char* name, uint64_t value) {
        format(out, "# TYPE mello_%s gauge\nmello_%s %lu\n", name, name, value);
    };
    for (uint32_t i = 0; i < static_cast<uint32_t>(Event::Count); ++i)
        counter(event_name(static_cast<Event>(i)), event_total(static_cast<Event>(i)));
    gauge("frames", frames_total());
    gauge("frames_free", frames_free());
    gauge("runnable_threads", scheduler_runnable_count());
    gauge("uptime_ns", monotonic_ns());
    counter("samples", sampler_totals().taken);
    counter("samples_dropped", sampler_totals().dropped);
    for (const char* family : {"latency", "lock_wait"})
        format(out, "# TYPE mello_%s_ns summary\n", family);
    MutexGuard guard(profile_mutex);  // not while they are allocated and cleared
    for_each_latency([&](const char* family, const char* label, const char* name,
                         const Histogram& all) {
        for (uint32_t per_mille : {0, 500, 950, 990, 1000})  // least to greatest
            format(out, "mello_%s_ns{%s=\"%s\",quantile=\"%u.%03u\"} %lu\n", family, label, name,
                   per_mille / 1000, per_mille % 1000,
                   tsc_to_ns(histogram_percentile(all, per_mille)));
        format(out, "mello_%s_ns_sum{%s=\"%s\"} %lu\n", family, label, name, tsc_to_ns(all.sum));
        format(out, "mello_%s_ns_count{%s=\"%s\"} %lu\n", family, label, name,
               histogram_count(all));
    });
}

// "1" or "0": on, forgetting what was counted, or off.
Result<bool> parse_switch(std::string_view text) {
    if (text != "0" && text != "1") return Error(EINVAL);
    return text == "1";
}

// A summary of what was counted, into the kernel's log.
void log_latencies() REQUIRES(profile_mutex) {
    log_info("%-16s%-16s%12s%12s%12s", "latency", "of", "count", "p50 ns", "p99 ns");
    for_each_latency([](const char* family, const char*, const char* name, const Histogram& all) {
        if (uint64_t count = histogram_count(all); count != 0)
            log_info("%-16s%-16s%12lu%12lu%12lu", family, name, count,
                     tsc_to_ns(histogram_percentile(all, 500)),
                     tsc_to_ns(histogram_percentile(all, 990)));
    });
}

Result<void> store_metrics(std::string_view text) {
    MutexGuard guard(profile_mutex);
    if (text == "log") {
        log_latencies();
        return {};
    }
    bool on = TRY(parse_switch(text));
    latency_since = kLatencyOff;
    for (uint32_t i = 0; on && i < cpu_count; ++i) TRY(clear_latencies(cpus[i]));
    if (on) latency_since = x86::rdtsc();
    return {};
}

// The samples since the last look.
void write_profile(ProcText& out, ProcessView&) {
    MutexGuard guard(profile_mutex);
    sampler_format(out);
}

// Who samples: the tick, or an NMI, which sees code with interrupts off, too.
std::atomic<bool> sampling_by_nmi;

// An NMI may come while a tick that began in the other mode is at it: a ring has one writer.
void take_sample(TrapFrame& frame, bool nmi) {
    static std::atomic<bool> busy[kMaxCpus];
    std::atomic<bool>& mine = busy[this_cpu().id];
    if (sampling_by_nmi != nmi || mine.load(std::memory_order_relaxed)) return;
    mine.store(true);
    sampler_tick(frame);
    mine.store(false, std::memory_order_release);
}

// 1, 0 or nmi.
Result<void> store_profile(std::string_view text) {
    MutexGuard guard(profile_mutex);
    const bool nmi = text == "nmi", on = nmi || TRY(parse_switch(text));
    ioapic_timer_nmi(false);
    TRY(sampler_set(false));
    sampling_by_nmi = nmi;
    TRY(sampler_set(on));
    if (nmi) pit_repeat(kernel_options.tick_hz);
    ioapic_timer_nmi(nmi);
    return {};
}

// ---- A process ----

// POSIX leaves the name to us: the main thread's, else (it has ended) the program's.
void copy_name(char (&out)[16], Process& process) {
    std::string_view path(process.executable_path), name = path.substr(path.rfind('/') + 1);
    for (Thread& thread : process.threads) {
        if (thread.tid == process.pid) name = thread.name;
    }
    format_to(out, sizeof out, "%.*s", static_cast<int>(name.size()), name.data());
}

char state_letter(const Process& process, bool runs, bool blocked) {
    if (process.state == ProcessState::Zombie) return 'Z';
    if (process.stopped) return 'T';
    return runs ? 'R' : blocked ? 'D' : 'S';
}

void take_snapshot(ProcessSnapshot& s, Process& process) REQUIRES(process_tree, process.lock) {
    s.pid = process.pid;
    s.parent = process.parent != nullptr ? process.parent->pid : 0;
    s.group = process.group;
    s.session = process.session;
    s.foreground_group = -1;
    if (Terminal* terminal = process.terminal; terminal != nullptr) {
        s.terminal = static_cast<uint32_t>(terminal->number);
        if (terminal->controls(process)) s.foreground_group = terminal->foreground_group();
    }
    s.children_user_ns = process.dead_children.user_ns;
    s.children_system_ns = process.dead_children.system_ns;
    s.start_ns = process.start_ns;
    s.exit_signal = static_cast<int32_t>(process.exit_signal);
    s.resident_limit = ~0ull;
    s.umask = process.umask.load(std::memory_order_relaxed);
    copy_name(s.name, process);
    s.threads = process.thread_count;
    Usage used = process.dead_threads;
    bool runs = false, blocked = false;
    for (Thread& thread : process.threads) {
        ThreadState state = thread.state.load(std::memory_order_relaxed);
        runs |= state == ThreadState::Running || state == ThreadState::Waking;
        blocked |= state == ThreadState::UninterruptibleAsleep;
        used += thread.used;
        if (thread.tid != process.pid) continue;
        s.last_cpu = static_cast<int32_t>(thread.cpu.load(std::memory_order_relaxed));
    }
    s.switches_voluntary = used.switches_voluntary;
    s.switches_involuntary = used.switches_involuntary;
    s.user_ns = used.user_ns;
    s.system_ns = used.system_ns;
    s.minor_faults = used.page_faults;
    s.state = state_letter(process, runs, blocked);
}

// The snapshot with what the space tells.
const ProcessSnapshot& with_memory(ProcessView& view) {
    ProcessSnapshot& s = view.snapshot;
    if (!view.space) return s;
    s.virtual_bytes = view.space->total_pages() * kPageSize;
    s.resident_pages = view.space->resident_pages();
    s.code_start = view.space->code_start;
    s.code_end = view.space->code_end;
    s.stack_start = view.space->stack_start;
    return s;
}

void write_process_stat(ProcText& out, ProcessView& view) {
    format_process_stat(out, with_memory(view));
}

const char* state_name(char letter) {
    for (const char* name : {"R (running)", "D (disk sleep)", "T (stopped)", "Z (zombie)"})
        if (name[0] == letter) return name;
    return "S (sleeping)";
}

void write_status(ProcText& out, ProcessView& view) {
    const ProcessSnapshot& s = with_memory(view);
    format(out, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", s.name, s.umask,
           state_name(s.state));
    format(out, "Tgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s.pid, s.pid, s.parent);
    // Real, effective, saved, file system's: the one user is root.
    format(out, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    format(out, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\nThreads:\t%u\n", s.virtual_bytes / 1024,
           s.resident_pages * kPageSize / 1024, s.threads);
    format(out, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
           s.switches_voluntary, s.switches_involuntary);
}

// Pages: size resident shared text lib data dirty. Which of them other processes have, too,
// nobody counts.
void write_statm(ProcText& out, ProcessView& view) {
    const ProcessSnapshot& s = with_memory(view);
    uint64_t text = 0, data = 0;
    if (view.space) {
        MutexGuard guard(view.space->mutex);
        for (const Region& region : view.space->regions) {
            bool own = (region.protection & kProtWrite) && !region.shared;
            if (own) data += region.end - region.start;
            else if (region.protection & kProtExecute) text += region.end - region.start;
        }
    }
    format(out, "%lu %lu 0 %lu 0 %lu 0\n", s.virtual_bytes / kPageSize, s.resident_pages,
           text / kPageSize, data / kPageSize);
}

// The arguments, as far as their memory is resident.
void write_arguments(ProcText& out, ProcessView& view) {
    if (!view.space) return;
    AddressSpace& space = *view.space;
    MutexGuard guard(space.mutex);
    for (VirtAddr start = space.arg_start; start < space.arg_end;) {
        auto translation = page_map_translate(space.page_map, start);
        if (!translation) return;
        size_t size = std::min(space.arg_end - start, kPageSize - start % kPageSize);
        out.write({static_cast<const char*>(phys_to_virt(translation->address)), size});
        start += size;
    }
}

void write_comm(ProcText& out, ProcessView& view) { format(out, "%s\n", view.snapshot.name); }

void write_maps(ProcText& out, ProcessView& view) {
    if (!view.space) return;
    MutexGuard guard(view.space->mutex);
    for (const Region& region : view.space->regions) {
        const uint8_t p = region.protection;
        VirtAddr stack = view.space->stack_start;
        const uint64_t inode = region.source != nullptr ? region.source->source_inode() : 0;
        const char* name = region.start <= stack && stack < region.end ? "[stack]"
                           : region.heap                               ? "[heap]"
                                                                       : "";
        // Of other files only the number is known.
        if (inode != 0 && view.executable && inode == view.executable->number) name = view.path;
        format(out, "%08lx-%08lx %c%c%c%c %08lx 00:00 %lu %s\n", region.start, region.end,
               (p & kProtRead) ? 'r' : '-', (p & kProtWrite) ? 'w' : '-',
               (p & kProtExecute) ? 'x' : '-', region.shared ? 's' : 'p', region.offset, inode,
               name);
    }
}

constexpr ProcEntry kSystemEntries[] = {
    {"self", kProcLink},
    {"cmdline", kProcFile, write_cmdline},
    {"cpuinfo", kProcFile, write_cpuinfo},
    {"filesystems", kProcFile, write_filesystems},
    {"interrupts", kProcFile, write_interrupts},
    {"loadavg", kProcFile, write_loadavg},
    {"meminfo", kProcFile, write_meminfo},
    {"metrics", kProcStore, write_metrics, store_metrics},
    {"mounts", kProcFile, write_mounts},
    {"profile", kProcStore, write_profile, store_profile},
    {"stat", kProcFile, write_stat},
    {"uptime", kProcFile, write_uptime},
    {"version", kProcFile, write_version},
    {"vmstat", kProcFile, write_vmstat},
};

constexpr ProcEntry kProcessEntries[] = {
    {"exe", kProcLink},
    {"cwd", kProcLink},
    {"fd", S_IFDIR | 0500},
    {"cmdline", kProcFile, write_arguments},
    {"comm", kProcFile, write_comm},
    {"maps", kProcFile, write_maps},
    {"mounts", kProcFile, write_mounts},
    {"stat", kProcFile, write_process_stat},
    {"statm", kProcFile, write_statm},
    {"status", kProcFile, write_status},
};

}  // namespace

void profile_tick(TrapFrame& frame) { take_sample(frame, false); }

// Between STI and HLT of the idle loop an NMI lets in the interrupt that HLT would wait for: on
// with the loop, which looks for work.
void profile_nmi(TrapFrame& frame) {
    constexpr uint8_t kHlt = 0xf4;
    const Cpu& cpu = this_cpu();
    if (cpu.current == cpu.idle && *reinterpret_cast<const uint8_t*>(frame.rip) == kHlt)
        frame.rip++;
    take_sample(frame, true);
}

bool sampler_user_word(VirtAddr address, uint64_t& word) {
    if (address >= kUserTop || address % sizeof word != 0) return false;
    auto place = page_map_translate(PageMap{this_cpu().active_page_map}, address);
    if (!place || (place->entry & kPageUser) == 0 || frame_of(place->address) == nullptr)
        return false;
    word = *static_cast<const uint64_t*>(phys_to_virt(place->address));
    return true;
}

std::span<const ProcEntry> proc_system_entries() { return kSystemEntries; }
std::span<const ProcEntry> proc_process_entries() { return kProcessEntries; }

void proc_load_start() {
    load_timer.callback = sample_load;
    load_timer.deadline_ns = monotonic_ns() + kSamplePeriodNs;
    timer_start(load_timer);
}

Result<void> ProcessView::look(int32_t pid) {
    if (pid == 0) return {};
    MutexGuard tree(process_tree);
    Process* process = find_process(pid);
    if (process == nullptr) return Error(ENOENT);
    SpinGuard guard(process->lock);
    take_snapshot(snapshot, *process);
    space = process->space;
    files = process->files;
    directory = process->working_directory;
    executable = process->executable;
    std::copy_n(process->executable_path, sizeof path, path);
    return {};
}
