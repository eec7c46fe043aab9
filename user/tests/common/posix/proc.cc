// /proc in Linux's formats (proc(5)): the names of the files, the fields of their lines, and that
// links lead where they say. And what is not there but says so: perf_event_open(2).
#include <sys/utsname.h>

#include <initializer_list>

#include "user/tests/common/posix/posix.h"

namespace {

char text[200'000];

// The whole file as a string; false when it cannot be read or does not fit.
bool read_proc(const char* path) {
    size_t size = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0) return false;
    for (ssize_t got; (got = read(fd, text + size, sizeof text - 1 - size)) > 0;)
        size += static_cast<size_t>(got);
    text[size] = '\0';
    close(fd);
    return size > 0 && size + 1 < sizeof text;
}

// What follows the line that starts with `start` and white space or a colon; nullptr: none.
const char* line_after(const char* start) {
    size_t length = strlen(start);
    for (const char* line = text; *line != '\0';) {
        const char* at = line + strspn(line, " ");
        if (strncmp(at, start, length) == 0 && strchr(" \t:", at[length]) != nullptr)
            return at + length;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return nullptr;
}

bool has_lines(const char* path, std::initializer_list<const char*> starts) {
    bool all = check_works(path, read_proc(path) ? 0 : -1);
    for (const char* start : starts) all = check(start, line_after(start) != nullptr) && all;
    return all;
}

// How many words of digits, points and signs follow each other.
int numbers(const char* at) {
    int count = 0;
    for (;; count++) {
        at += strspn(at, " \t:");
        size_t length = strspn(at, "0123456789.-");
        if (length == 0 || strchr(" \t\n", at[length]) == nullptr) return count;
        at += length;
        if (*at == '\n' || *at == '\0') return count + 1;
    }
}

int words(const char* at) {
    int count = 0;
    for (; *at != '\0' && *at != '\n'; count++) {
        at += strcspn(at, " \t\n");
        at += strspn(at, " \t");
    }
    return count;
}

int cpus() {
    int count = 0;
    if (!read_proc("/proc/cpuinfo")) return 0;
    for (const char* at = text; (at = strstr(at, "processor\t: ")) != nullptr; at++) count++;
    return count;
}

}  // namespace

void test_proc_system() {
    utsname name;
    check_works("uname", uname(&name));
    char version[300];
    snprintf(version, sizeof version, "%s version %s (", name.sysname, name.release);
    check("version_file", read_proc("/proc/version"));
    check("version", strncmp(text, version, strlen(version)) == 0);
    check("version_end", strstr(text, name.version) != nullptr);

    const int count = cpus();
    check("cpus", count > 0);
    has_lines("/proc/cpuinfo", {"vendor_id", "cpu family", "model", "model name", "stepping",
                                "cpu MHz", "apicid", "flags", "bogomips"});
    if (has_lines("/proc/interrupts", {"LOC", "RES", "TLB"})) {
        int columns = 0;
        for (const char* at = text; (at = strstr(at, "CPU")) != nullptr; at++) columns++;
        check_equal("interrupt_columns", count, columns);
        check_equal("interrupt_counts", count, numbers(line_after("LOC")));
    }
    if (has_lines("/proc/stat", {"cpu", "cpu0", "intr", "ctxt", "btime", "processes",
                                 "procs_running", "procs_blocked"})) {
        check_equal("stat_cpu", 10, numbers(line_after("cpu")));
        check_equal("stat_cpu0", 10, numbers(line_after("cpu0")));
    }
    has_lines("/proc/meminfo", {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached",
                                "SwapTotal", "SwapFree", "Shmem"});
    has_lines("/proc/vmstat", {"nr_free_pages", "pgpgin", "pgpgout", "pswpin", "pswpout",
                               "pgfault"});
    check("filesystems_file", read_proc("/proc/filesystems"));
    check("filesystems", strstr(text, "nodev\tproc\n") != nullptr &&
                             strstr(text, "nodev\ttmpfs\n") != nullptr);
    check("loadavg_file", read_proc("/proc/loadavg"));
    check_equal("loadavg", 5, words(text));
    int running = -1, threads = -1;
    check("loadavg_threads", sscanf(text, "%*f %*f %*f %d/%d", &running, &threads) == 2 &&
                                 running >= 1 && threads >= running);
    check("uptime_file", read_proc("/proc/uptime"));
    check_equal("uptime", 2, numbers(text));
    check("cmdline_file", read_proc("/proc/cmdline"));
    check("mounts_file", read_proc("/proc/mounts"));
    bool proc = false, six = true;
    for (const char* line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        proc |= strncmp(line, "proc /proc proc ", 16) == 0;
        six &= words(line) == 6;
    }
    check("mounts_proc", proc);
    check("mounts_fields", six);
}

void test_proc_process() {
    char path[300], target[300] = {};
    snprintf(path, sizeof path, "/proc/%d", getpid());
    ssize_t length = readlink("/proc/self", target, sizeof target - 1);
    check_text("self", path + 6, length > 0 ? target : "");

    check("stat_file", read_proc("/proc/self/stat"));
    int pid = 0, parent = 0;
    char state = 0, name[20] = {};
    check_equal("stat_start", 4, sscanf(text, "%d (%16[^)]) %c %d", &pid, name, &state, &parent));
    check_equal("stat_pid", getpid(), pid);
    check_equal("stat_parent", getppid(), parent);
    check_text("stat_name", "posix", name);
    check_equal("stat_state", 'R', state);
    check_equal("stat_fields", 52, words(text));
    check("statm_file", read_proc("/proc/self/statm"));
    unsigned long size = 0, resident = 0;
    check_equal("statm", 2, sscanf(text, "%lu %lu", &size, &resident));
    check_equal("statm_fields", 7, numbers(text));
    check("statm_sizes", resident > 0 && size >= resident);

    if (has_lines("/proc/self/status",
                  {"Name", "Umask", "State", "Tgid", "Pid", "PPid", "TracerPid", "Uid", "Gid",
                   "VmSize", "VmRSS", "Threads", "voluntary_ctxt_switches",
                   "nonvoluntary_ctxt_switches"})) {
        check("status_umask", strncmp(line_after("Umask"), ":\t0022\n", 7) == 0);
        check("status_state", strncmp(line_after("State"), ":\tR (running)\n", 14) == 0);
        check_equal("status_pid", getpid(), atol(line_after("Pid") + 1));
        check_equal("status_uids", 4, numbers(line_after("Uid")));
        unsigned long kib = strtoul(line_after("VmSize") + 1, nullptr, 10);
        check("status_size", kib * 1024 >= size * kPage / 2 && kib * 1024 <= size * kPage * 2);
    }
    check("comm_file", read_proc("/proc/self/comm"));
    check_text("comm", "posix\n", text);
    check("arguments_file", read_proc("/proc/self/cmdline"));
    const char* base = strrchr(text, '/');
    check_text("arguments", "posix", base != nullptr ? base + 1 : text);

    check("maps_file", read_proc("/proc/self/maps"));
    bool code = false, stack = false, whole = true;
    auto here = reinterpret_cast<unsigned long>(&test_proc_process);
    auto local = reinterpret_cast<unsigned long>(&here);
    for (const char* line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned long start = 0, end = 0, offset = 0, inode = 0;
        unsigned major = 0, minor = 0;
        char rights[5] = {}, file[300] = {};
        int fields = sscanf(line, "%lx-%lx %4s %lx %x:%x %lu%*[ ]%299[^\n]", &start, &end, rights,
                            &offset, &major, &minor, &inode, file);
        whole &= fields >= 7 && start < end && start % kPage == 0;
        if (here >= start && here < end)
            code = strcmp(rights, "r-xp") == 0 && inode != 0 && strcmp(file, own_path()) == 0;
        if (local >= start && local < end)
            stack = strcmp(rights, "rw-p") == 0 && strcmp(file, "[stack]") == 0;
    }
    check("maps_lines", whole);
    check("maps_code", code);
    check("maps_stack", stack);
}

// Links are followed to what they name, whatever readlink(2) says.
void test_proc_links() {
    char magic[4] = {}, target[300] = {}, directory[300];
    int fd = open("/proc/self/exe", O_RDONLY);
    check_works("open_exe", fd);
    check_equal("read_exe", 4, read(fd, magic, 4));
    check_bytes("exe_is_a_program", "\177ELF", magic, 4);
    struct stat followed, itself;
    check_works("stat_exe", stat("/proc/self/exe", &followed));
    check_works("stat_path", stat(own_path(), &itself));
    check_equal("same_file", static_cast<long>(itself.st_ino), static_cast<long>(followed.st_ino));
    check_works("lstat_exe", lstat("/proc/self/exe", &itself));
    check("is_a_link", S_ISLNK(itself.st_mode));
    check_fails("no_follow", ELOOP, open("/proc/self/exe", O_RDONLY | O_NOFOLLOW));
    check_works("symlink", symlink("/proc/self/exe", "to_exe"));
    check_works("through_a_link", open("to_exe", O_RDONLY));
    check_exited("exe_of_itself", 0, run_child([] {
                     execl("/proc/self/exe", "posix", "own-path", own_path(), nullptr);
                     return 1;
                 }));

    check("getcwd", getcwd(directory, sizeof directory) != nullptr);
    check_works("cwd", readlink("/proc/self/cwd", target, sizeof target - 1));
    check_text("cwd_target", directory, target);
    check_works("through_cwd", open("/proc/self/cwd/to_exe", O_RDONLY));
    check_works("make_through_cwd", open("/proc/self/cwd/made", O_RDWR | O_CREAT, 0600));
    check_works("made", unlink("made"));

    int file = make_file("file", 10);
    char path[60];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    int again = open(path, O_RDONLY);
    check_works("open_fd", again);
    struct stat one, other;
    check_works("stat_fd", fstat(file, &one));
    check_works("stat_again", fstat(again, &other));
    check_equal("fd_is_the_file", static_cast<long>(one.st_ino), static_cast<long>(other.st_ino));
    int ends[2];
    check_works("pipe", pipe(ends));
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    memset(target, 0, sizeof target);
    check_works("pipe_link", readlink(path, target, sizeof target - 1));
    check("pipe_name", strncmp(target, "pipe:[", 6) == 0);
    check_fails("closed", ENOENT, open("/proc/self/fd/999", O_RDONLY));
    check_fails("nobody", ENOENT, open("/proc/999999/stat", O_RDONLY));
}

// Counting by a PMU: Linux has other ways to say no on a machine without one; but the call is
// known.
void test_perf() {
    alignas(8) unsigned char attributes[128] = {};
    attributes[4] = sizeof attributes;  // size; type and config 0: cycles
    utsname name;
    uname(&name);
    errno = 0;
    long fd = syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0);
    if (strcmp(name.sysname, "Linux") != 0) check_fails("no_pmu", ENODEV, fd);
    else check("known", fd >= 0 || errno != ENOSYS);
}
