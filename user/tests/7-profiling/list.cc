// `ls -l` of a directory of many files, as a person sees it: from the command to its last line.
//
// Host data: `list_seed`, `list_files` (1000). Reported: `list_1000` (figure, ticks of a run),
// `list_raw TICKS FILES`, and `list_hash` of the names and sizes that ls printed, in its order,
// over all runs. Runs of more than half a second are not repeated.
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/tests/7-profiling/proc.h"

namespace {

constexpr unsigned kRuns = 10;
constexpr uint64_t kTooLong = 500 * kTicksAMillisecond;
const char kFolder[] = "/tmp/list";

void make_files(uint64_t seed, uint64_t count) {
    Sequence sequence(seed);
    char name[100], bytes[100] = {};
    unsigned made = 0;
    mkdir(kFolder, 0755);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = sequence.next(), size = sequence.below(sizeof bytes);
        snprintf(name, sizeof name, "%s/%06lx-%lu.txt", kFolder, which & 0xffffff, i);
        int fd = open(name, O_CREAT | O_WRONLY | O_EXCL, 0644);
        made += fd >= 0 && write(fd, bytes, size) == static_cast<ssize_t>(size);
        if (fd >= 0) close(fd);
    }
    check_equal("list.made", static_cast<long>(count), static_cast<long>(made));
}

// Runs `ls -l` and takes what it prints; its ticks.
uint64_t list(char* text, size_t room, size_t& size) {
    int ends[2];
    size = 0;
    uint64_t start = ticks();
    if (pipe(ends) != 0) return 0;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl("/bin/ls", "ls", "-l", kFolder, nullptr);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + size, room - size)) > 0;)
        size += static_cast<size_t>(got);
    int status = -1;
    waitpid(child, &status, 0);
    uint64_t taken = ticks() - start;
    close(ends[0]);
    check_equal("list.status", 0, status);
    return taken;
}

// "-rw-r--r-- 1 0 0 SIZE date NAME" as "SIZE NAME\n".
uint64_t hash_lines(char* text, size_t size, uint64_t& lines) {
    uint64_t hash = kHashStart;
    text[size] = '\0';
    lines = 0;
    for (char* line = strtok(text, "\n"); line != nullptr; line = strtok(nullptr, "\n")) {
        const char* name = strrchr(line, ' ');
        unsigned long file_size = 0;
        if (name == nullptr || sscanf(line, "%*s %*s %*s %*s %lu", &file_size) != 1) continue;
        char wanted[120];
        int length = snprintf(wanted, sizeof wanted, "%lu%s\n", file_size, name);
        hash = hash_bytes(wanted, static_cast<size_t>(length), hash);
        lines++;
    }
    return hash;
}

}  // namespace

int main() {
    uint64_t seed = host_number("list_seed", 1), files = host_number("list_files", 1000);
    check_quietly(true);
    make_files(seed, files);
    static char text[1 << 20];
    size_t size;
    uint64_t values[kRuns] = {}, lines = 0;
    size_t count = 0;
    values[0] = list(text, sizeof text - 1, size);  // a warm-up, unless it takes too long
    if (values[0] > kTooLong) count = 1;
    else
        while (count < kRuns) values[count++] = list(text, sizeof text - 1, size);
    report("list_hash", "%#lx", hash_lines(text, size, lines));
    report_figure("list_1000", figure_of(values, count, 1), count);
    report("list_raw", "%lu %lu", median_of(values, count), lines);
    return check_summary("list");
}
