// The files of /proc/<pid> (proc(5)), and what they need to look at another process.
//
// Locks: process_tree keeps a Process alive; its spin lock guards the pointers to what it
// owns. ProcessView takes references under both and gives both up, so the slow part (page
// tables, path names, formatting) holds neither.
#include <algorithm>

#include "kernel/prof/proc_files.h"
#include "kernel/tty/terminal.h"

namespace {

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

void write_stat(ProcText& out, ProcessView& view) {
    format_process_stat(out, with_memory(view));
}

const char* state_name(char letter) {
    for (const char* name : {"R (running)", "D (disk sleep)", "T (stopped)", "Z (zombie)"})
        if (name[0] == letter) return name;
    return "S (sleeping)";
}

void write_status(ProcText& out, ProcessView& view) {
    const ProcessSnapshot& s = with_memory(view);
    format(out, "Name:\t%s\nState:\t%s\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\n", s.name,
           state_name(s.state), s.pid, s.pid, s.parent);
    // Real, effective, saved, file system's: the one user is root.
    format(out, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n");
    format(out, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\nThreads:\t%u\n", s.virtual_bytes / 1024,
           s.resident_pages * kPageSize / 1024, s.threads);
}

// The arguments, as far as their memory is resident.
void write_cmdline(ProcText& out, ProcessView& view) {
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
        const char* name = region.start <= stack && stack < region.end ? " [stack]"
                           : region.heap                               ? " [heap]"
                                                                       : "";
        format(out, "%08lx-%08lx %c%c%c%c %08lx 00:00 %lu%s\n", region.start, region.end,
               (p & kProtRead) ? 'r' : '-', (p & kProtWrite) ? 'w' : '-',
               (p & kProtExecute) ? 'x' : '-', region.shared ? 's' : 'p', region.offset,
               region.source != nullptr ? region.source->source_inode() : 0, name);
    }
}

constexpr ProcEntry kEntries[] = {
    {"exe", kProcLink},
    {"cwd", kProcLink},
    {"fd", S_IFDIR | 0500},
    {"cmdline", kProcFile, write_cmdline},
    {"comm", kProcFile, write_comm},
    {"maps", kProcFile, write_maps},
    {"stat", kProcFile, write_stat},
    {"status", kProcFile, write_status},
};

}  // namespace

std::span<const ProcEntry> proc_process_entries() { return kEntries; }

Result<void> ProcessView::look(int32_t pid) {
    if (pid == 0) return {};
    MutexGuard tree(process_tree);
    Process* process = find_process(pid);
    if (process == nullptr) return Error(ENOENT);
    auto take = [](auto& reference, auto* object) {
        if (object != nullptr) object->ref();
        reference.reset(object);
    };
    SpinGuard guard(process->lock);
    take_snapshot(snapshot, *process);
    take(space, process->space);
    take(files, process->files);
    take(directory, process->working_directory);
    take(executable, process->executable);
    std::copy_n(process->executable_path, sizeof path, path);
    return {};
}
