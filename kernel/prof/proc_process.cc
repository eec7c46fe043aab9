// The files of /proc/<pid> (proc(5)), and what they need to look at another process.
//
// Locks: process_tree keeps a Process alive; its spin lock guards the pointers to what it
// owns. ProcessView takes references under both and gives both up, so the slow part (page
// tables, path names, formatting) holds neither.
#include <algorithm>

#include "kernel/mm/page_map.h"
#include "kernel/prof/proc_files.h"
#include "kernel/prof/proc_stat.h"
#include "kernel/tty/terminal.h"
#include "kernel/tty/tty.h"

namespace {

// POSIX leaves the name to us: the main thread's, else (it has ended) the program's.
void copy_name(char (&out)[16], Process& process) {
    out[0] = 0;
    for (Thread& thread : process.threads) {
        if (thread.tid == process.pid) std::copy_n(thread.name, sizeof out, out);
    }
    if (out[0] == 0) {
        std::string_view path(process.executable_path);
        std::string_view base = path.substr(path.rfind('/') + 1);
        size_t length = std::min(base.size(), sizeof out - 1);
        out[std::copy_n(base.data(), length, out) - out] = 0;
    }
    out[sizeof out - 1] = 0;
}

// ---- stat, status, statm ----

char state_letter(const Process& process, bool runs, bool blocked) {
    if (process.state == ProcessState::Zombie) return 'Z';
    if (process.stopped) return 'T';
    return runs ? 'R' : blocked ? 'D' : 'S';
}

// All of the snapshot that needs process_tree. The process may have ended: false.
bool fill_snapshot(ProcessSnapshot& s, int32_t pid) {
    MutexGuard tree(process_tree);
    Process* process = find_process(pid);
    if (process == nullptr) return false;
    s.pid = pid;
    s.parent = process->parent != nullptr ? process->parent->pid : 0;
    s.group = process->group;
    s.session = process->session;
    s.foreground_group = -1;
    if (Terminal* terminal = process->terminal; terminal != nullptr) {
        s.terminal = static_cast<uint32_t>(terminal->number());
        if (terminal->controls(*process)) s.foreground_group = terminal->foreground_group();
    }
    s.minor_faults = process->dead_threads_page_faults;
    s.children_user_ns = process->children_user_ns;
    s.children_system_ns = process->children_system_ns;
    s.user_ns = process->dead_threads_user_ns;
    s.system_ns = process->dead_threads_system_ns;
    s.start_ns = process->start_ns;
    s.exit_signal = static_cast<int32_t>(process->exit_signal);
    SpinGuard guard(process->lock);
    copy_name(s.name, *process);
    s.threads = process->thread_count;
    bool runs = false, blocked = false;
    for (Thread& thread : process->threads) {
        ThreadState state = thread.state.load(std::memory_order_relaxed);
        runs |= state == ThreadState::Running || state == ThreadState::Waking;
        blocked |= state == ThreadState::UninterruptibleAsleep;
        s.user_ns += thread.user_ns;
        s.system_ns += thread.system_ns;
        s.minor_faults += thread.page_faults;
        if (thread.tid != pid) continue;
        s.nice = thread.nice;
        s.last_cpu = static_cast<int32_t>(thread.cpu.load(std::memory_order_relaxed));
    }
    s.state = state_letter(*process, runs, blocked);
    return true;
}

void add_memory(ProcessSnapshot& s, ProcessView& view) {
    s.resident_limit = ~0ull;
    if (view.space == nullptr) return;
    s.virtual_bytes = view.space->total_pages() * kPageSize;
    s.resident_pages = view.space->resident_pages();
    s.code_start = view.space->code_start;
    s.code_end = view.space->code_end;
    s.stack_start = view.space->stack_start;
}

void write_stat(ProcText& out, ProcessView& view) {
    ProcessSnapshot snapshot{};
    if (!fill_snapshot(snapshot, view.pid)) return;
    add_memory(snapshot, view);
    format_process_stat(out, snapshot);
}

const char* state_name(char letter) {
    switch (letter) {
        case 'R': return "R (running)";
        case 'D': return "D (disk sleep)";
        case 'T': return "T (stopped)";
        case 'Z': return "Z (zombie)";
        default: return "S (sleeping)";
    }
}

// What status says beyond the snapshot, gathered under process_tree.
struct Credentials {
    uint32_t uid, euid, suid, gid, egid, sgid, umask;
    uint64_t pending, mask;
};

bool fill_credentials(Credentials& c, int32_t pid) {
    MutexGuard tree(process_tree);
    Process* process = find_process(pid);
    if (process == nullptr) return false;
    c = {process->uid,  process->euid, process->suid, process->gid,
         process->egid, process->sgid, process->umask, process->signals.pending, 0};
    SpinGuard guard(process->lock);
    for (Thread& thread : process->threads) {
        if (thread.tid == pid) c.mask = signal_mask(thread);
    }
    return true;
}

void write_status(ProcText& out, ProcessView& view) {
    ProcessSnapshot s{};
    Credentials c{};
    if (!fill_snapshot(s, view.pid) || !fill_credentials(c, view.pid)) return;
    add_memory(s, view);
    format(out, "Name:\t%s\nUmask:\t%04o\nState:\t%s\n", s.name, c.umask,
           state_name(s.state));
    format(out, "Tgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", s.pid, s.pid, s.parent);
    // Real, effective, saved, and the file system's, which is the effective one here.
    format(out, "Uid:\t%u\t%u\t%u\t%u\n", c.uid, c.euid, c.suid, c.euid);
    format(out, "Gid:\t%u\t%u\t%u\t%u\n", c.gid, c.egid, c.sgid, c.egid);
    if (view.space != nullptr) {
        format(out, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n", s.virtual_bytes / 1024,
               s.resident_pages * kPageSize / 1024);
    }
    format(out, "Threads:\t%u\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n", s.threads, c.pending,
           c.mask);
}

void write_statm(ProcText& out, ProcessView& view) {
    ProcessSnapshot s{};
    add_memory(s, view);
    uint64_t code = pages_for(s.code_end - s.code_start);
    // size resident shared text lib data dt
    format(out, "%lu %lu 0 %lu 0 %lu 0\n", s.virtual_bytes / kPageSize, s.resident_pages,
           code, s.virtual_bytes / kPageSize - code);
}

// ---- Memory of another process ----

// Copies [start, end) of `space` as far as it is resident; stops at the first hole.
void write_memory(ProcText& out, AddressSpace& space, VirtAddr start, VirtAddr end) {
    MutexGuard guard(space.mutex);
    while (start < end) {
        auto translation = page_map_translate(space.page_map, start);
        if (!translation) return;
        size_t size = std::min(end - start, kPageSize - (start & (kPageSize - 1)));
        out.write({static_cast<const char*>(phys_to_virt(translation->address)), size});
        start += size;
    }
}

void write_cmdline(ProcText& out, ProcessView& view) {
    if (view.space == nullptr) return;
    write_memory(out, *view.space, view.space->arg_start, view.space->arg_end);
}

void write_environ(ProcText& out, ProcessView& view) {
    if (view.space == nullptr) return;
    write_memory(out, *view.space, view.space->env_start, view.space->env_end);
}

void write_comm(ProcText& out, ProcessView& view) { format(out, "%s\n", view.name); }

// ---- maps ----

struct MapsWriter {
    ProcText& out;
    VirtAddr stack_start;

    void write(const Region& region) {
        const uint8_t p = region.protection;
        char path[256];
        size_t length = 0;
        uint64_t inode = 0;
        if (region.source != nullptr) {
            inode = region.source->source_inode();
            length = std::min(region.source->source_path(path, sizeof path), sizeof path);
        }
        std::string_view name(path, length);
        if (region.heap) name = "[heap]";
        if (region.start <= stack_start && stack_start < region.end) name = "[stack]";
        char line[128];
        size_t size = format_to(line, sizeof line, "%08lx-%08lx %c%c%c%c %08lx 00:00 %lu",
                                region.start, region.end, (p & kProtRead) ? 'r' : '-',
                                (p & kProtWrite) ? 'w' : '-',
                                (p & kProtExecute) ? 'x' : '-', region.shared ? 's' : 'p',
                                region.offset, inode);
        // The name starts at column 73, where tools and people expect it.
        constexpr size_t kNameColumn = 73;
        out.write({line, size});
        for (; !name.empty() && size < kNameColumn; ++size) out.write(" ");
        out.write(name);
        out.write("\n");
    }
};

void write_maps(ProcText& out, ProcessView& view) {
    if (view.space == nullptr) return;
    MapsWriter writer{out, view.space->stack_start};
    view.space->visit_regions(
        [](void* context, const Region& region) {
            static_cast<MapsWriter*>(context)->write(region);
        },
        &writer);
}

constexpr ProcProcessFile kFiles[] = {
    {"cmdline", write_cmdline}, {"comm", write_comm},     {"environ", write_environ},
    {"maps", write_maps},       {"stat", write_stat},     {"statm", write_statm},
    {"status", write_status},
};

// Text into a link's buffer, cut to it; returns the length.
size_t put_link(std::string_view text, char* out, size_t size) {
    size_t length = std::min(text.size(), size);
    std::copy_n(text.data(), length, out);
    return length;
}

// The name of the device node with this number, in /dev or /dev/pts; 0: there is none.
size_t describe_device(uint64_t device, char* out, size_t size) {
    if (device >> 8 == kPtsMajor) {
        char path[24];
        size_t length = format_to(path, sizeof path, "/dev/pts/%lu", device & 0xff);
        return put_link({path, length}, out, size);
    }
    WalkContext context{vfs_root(), vfs_root()};
    auto walked = vfs_walk(context, "/dev", kFollow);
    if (!walked.ok()) return 0;
    InodeRef directory(walked.value());
    struct Search {
        Inode& directory;
        uint64_t device;
        char name[kMaxName + 1];
        size_t length;
    } search{*directory, device, {}, 0};
    MutexGuard guard(directory->mutex);
    (void)directory->list(
        0,
        [](void* context, std::string_view name, uint64_t, uint8_t, uint64_t) {
            auto& s = *static_cast<Search*>(context);
            if (name == "." || name == "..") return true;
            auto found = s.directory.lookup(name);
            if (!found.ok()) return true;
            InodeRef node(found.value());
            if (node->type() != S_IFCHR || node->attributes.device != s.device) return true;
            s.length = put_link(name, s.name, kMaxName);
            return false;
        },
        &search);
    if (search.length == 0) return 0;
    char path[kMaxName + 8];
    size_t length = format_to(path, sizeof path, "/dev/%s", search.name);
    return put_link({path, length}, out, size);
}

}  // namespace

std::span<const ProcProcessFile> proc_process_files() { return kFiles; }

Result<ProcessView> ProcessView::of(int32_t pid) {
    MutexGuard tree(process_tree);
    Process* process = find_process(pid);
    if (process == nullptr) return Error(ESRCH);
    ProcessView view;
    view.pid = pid;
    view.uid = process->euid;
    view.gid = process->egid;
    SpinGuard guard(process->lock);
    auto take = [](auto* object) {
        if (object != nullptr) object->ref();
        return object;
    };
    view.space = take(process->space);
    view.files = take(process->files);
    view.directory = take(process->working_directory);
    view.executable = take(process->executable);
    std::copy_n(process->executable_path, sizeof view.path, view.path);
    copy_name(view.name, *process);
    return view;
}

ProcessView::ProcessView(ProcessView&& other)
    : pid(other.pid), space(std::exchange(other.space, nullptr)),
      files(std::exchange(other.files, nullptr)),
      directory(std::exchange(other.directory, nullptr)),
      executable(std::exchange(other.executable, nullptr)), uid(other.uid), gid(other.gid) {
    std::copy_n(other.path, sizeof path, path);
    std::copy_n(other.name, sizeof name, name);
}

ProcessView::~ProcessView() {
    if (space != nullptr) space->unref();
    if (files != nullptr) files->unref();
    if (directory != nullptr) directory->unref();
    if (executable != nullptr) executable->unref();
}

int32_t proc_next_process(int32_t pid) {
    MutexGuard tree(process_tree);
    for (Process& process : all_processes) {
        if (process.pid > pid) return process.pid;
    }
    return 0;
}

size_t proc_directory_path(Inode& directory, char* out, size_t size) {
    auto length = vfs_path_of(vfs_root(), &directory, out, size);
    return length.ok() ? length.value() : put_link("(deleted)", out, size);
}

size_t proc_describe_file(File& file, char* out, size_t size) {
    Inode* inode = file.inode;
    if (inode == nullptr) return put_link("anon_inode:[file]", out, size);
    char text[64];
    const char* kind = "file";
    switch (inode->type()) {
        case S_IFDIR: return proc_directory_path(*inode, out, size);
        case S_IFCHR:
            if (size_t n = describe_device(inode->attributes.device, out, size)) return n;
            kind = "device";
            break;
        case S_IFIFO: kind = "pipe"; break;
        default:
            if (PageSource* source = file.page_source()) {
                size_t n = source->source_path(out, size);
                if (n > 0) return std::min(n, size);
            }
    }
    size_t length = format_to(text, sizeof text, "%s:[%lu]", kind, inode->number);
    return put_link({text, length}, out, size);
}
