// The table of groups, and how they are run.
//
//   posix [group...]      all groups, or the named ones; `posix list` prints the names
//
// Lines `ok GROUP.name` and `FAIL GROUP.name: ...` (check.h), at the end `N passed, N failed`;
// the exit status is 1 when a check failed.
//
// A group is a child process that sends its counts through a pipe when it is done. One that
// dies, or is silent about its end for a minute, is one failure with its name, and the next
// group runs all the same.
#include <poll.h>
#include <signal.h>

#include "user/tests/common/posix/posix.h"
#include "user/tests/lib/report.h"

namespace {

struct Group {
    const char* name;
    void (*run)();
};

constexpr Group kGroups[] = {
    {"open", test_open},
    {"io", test_io},
    {"append", test_append},
    {"seek", test_seek},
    {"vectors", test_vectors},
    {"truncate", test_truncate},
    {"devices", test_devices},
    {"dup", test_dup},
    {"fcntl", test_fcntl},
    {"locks", test_locks},
    {"sendfile", test_sendfile},
    {"mkdir", test_mkdir},
    {"rmdir", test_rmdir},
    {"unlink", test_unlink},
    {"list", test_list},
    {"cwd", test_cwd},
    {"rename", test_rename},
    {"at", test_at},
    {"links", test_links},
    {"symlinks", test_symlinks},
    {"paths", test_paths},
    {"stat", test_stat},
    {"modes", test_modes},
    {"file_times", test_file_times},
    {"access", test_access},
    {"mmap", test_mmap},
    {"munmap", test_munmap},
    {"mprotect", test_mprotect},
    {"mremap", test_mremap},
    {"brk", test_brk},
    {"madvise", test_madvise},
    {"file_mappings", test_file_mappings},
    {"shared_mappings", test_shared_mappings},
    {"pipes", test_pipes},
    {"pipe_size", test_pipe_size},
    {"poll", test_poll},
    {"select", test_select},
    {"bad_outputs", test_bad_outputs},
    {"bad_inputs", test_bad_inputs},
    {"bad_paths", test_bad_paths},
    {"bad_pieces", test_bad_pieces},
    {"fork", test_fork},
    {"vfork", test_vfork},
    {"wait", test_wait},
    {"sessions", test_sessions},
    {"identity", test_identity},
    {"exec", test_exec},
    {"exec_errors", test_exec_errors},
    {"scripts", test_scripts},
    {"clocks", test_clocks},
    {"sleep", test_sleep},
    {"timers", test_timers},
    {"uname", test_uname},
    {"random", test_random},
    {"usage", test_usage},
    {"limits", test_limits},
    {"affinity", test_affinity},
    {"unknown", test_unknown},
    {"misc", test_misc},
    {"proc_system", test_proc_system},
    {"proc_process", test_proc_process},
    {"proc_links", test_proc_links},
    {"perf", test_perf},
    {"futex", test_futex},
    {"fpu", test_fpu},
};

constexpr int kGroupTimeoutMs = 60000;
char base_directory[64];

// Everything below `directory`, and itself; where the tests left modes that forbid it, root
// may all the same.
void remove_tree(const char* directory) {
    static const char* const rm[] = {"rm", "-rf", nullptr, nullptr};
    pid_t pid = fork();
    if (pid == 0) {
        const char* arguments[] = {rm[0], rm[1], directory, nullptr};
        execv("/bin/rm", const_cast<char**>(arguments));
        _exit(1);
    }
    wait_status(pid);
}

int run_group(const Group& group, int counts_to) {
    char directory[128];
    snprintf(directory, sizeof directory, "%s/%s", base_directory, group.name);
    check_group(group.name);
    umask(022);
    if (mkdir(directory, 0755) != 0 || chdir(directory) != 0) {
        check_failed("directory", Where::current(), "expected %s, got %s", directory,
                     error_name(errno));
    } else {
        group.run();
    }
    CheckCounts counts = check_counts();
    return write(counts_to, &counts, sizeof counts) == sizeof counts ? 0 : 1;
}

void run(const Group& group) {
    int ends[2];
    if (pipe(ends) != 0) exit(2);
    CheckCounts before = check_counts(), counts;
    pid_t pid = start_child([&] {
        close(ends[0]);
        check_add({-before.checks, -before.failures});
        return run_group(group, ends[1]);
    });
    close(ends[1]);
    pollfd finished = {ends[0], POLLIN, 0};
    int ready = poll(&finished, 1, kGroupTimeoutMs);
    if (ready > 0 && read(ends[0], &counts, sizeof counts) == sizeof counts) {
        check_add(counts);
    } else {
        if (ready == 0) kill(pid, SIGKILL);
        check_group(group.name);
        check_failed("ends", Where::current(), "expected the group to end, it %s",
                     ready == 0 ? "hangs behind its last line" : "died");
    }
    close(ends[0]);
    wait_status(pid);
}

}  // namespace

const char* own_path() {
    static char path[256];
    if (path[0] == '\0' && readlink("/proc/self/exe", path, sizeof path - 1) < 0) {
        check_failed("own_path", Where::current(), "readlink of /proc/self/exe: %s",
                     error_name(errno));
    }
    return path;
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "exec-child") == 0) return exec_child(argc, argv);
    if (argc == 3 && strcmp(argv[1], "own-path") == 0) return strcmp(own_path(), argv[2]) != 0;
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        for (const Group& group : kGroups) puts(group.name);
        return 0;
    }
    snprintf(base_directory, sizeof base_directory, "/tmp/posix.%d", getpid());
    if (mkdir(base_directory, 0755) != 0) {
        printf("posix: cannot make %s: %s\n", base_directory, error_name(errno));
        return 2;
    }
    int known = 0;
    for (const Group& group : kGroups) {
        bool wanted = argc == 1;
        for (int i = 1; i < argc; i++) wanted = wanted || strcmp(argv[i], group.name) == 0;
        if (!wanted) continue;
        known++;
        run(group);
    }
    remove_tree(base_directory);
    if (known < argc - 1) {
        printf("posix: no such group (see `posix list`)\n");
        return 2;
    }
    CheckCounts counts = check_counts();
    printf("%u passed, %u failed\n", counts.checks - counts.failures, counts.failures);
    if (report_is_heard()) {
        report("checks", "%u", counts.checks);
        report("failures", "%u", counts.failures);
    }
    return counts.failures == 0 ? 0 : 1;
}
