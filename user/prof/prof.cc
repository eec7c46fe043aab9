// prof: the kernel's profiler from the command line.
//
//   prof record [-n] [-o FILE] COMMAND [ARGUMENT]...   samples the machine while COMMAND runs;
//       -n: by NMI, which sees kernel code with interrupts off, too
//   prof report [FILE]                            shows where the time went, by function
//
// FILE (prof.folded) has a folded stack a line with its count, outermost function first, as
// flame graph tools read it. The kernel names its own functions and gives addresses of programs
// (/proc/profile); their names come from the symbol tables of the programs, which are found by
// the name that stands first in the line: among the words of COMMAND, then along PATH. What has
// no symbols (busybox) is [unknown].
//
// The kernel's rings hold a second of samples, so they are emptied several times a second, and
// what did not fit is said: a profile that is cut short would lie.
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr char kProfile[] = "/proc/profile", kDefaultFile[] = "prof.folded";
constexpr char kUnknown[] = "[unknown]";

[[noreturn]] void die(const char* what) {
    perror(what);
    exit(1);
}

// Bytes that grow, always with a NUL behind them.
struct Text {
    void append(const char* more, size_t count) {
        if (size + count + 1 > room) {
            room = 2 * (size + count) + 64;
            data = static_cast<char*>(realloc(data, room));
            if (data == nullptr) die("prof");
        }
        memcpy(data + size, more, count);
        size += count;
        data[size] = '\0';
    }
    void append(const char* more) { append(more, strlen(more)); }
    char* data = nullptr;
    size_t size = 0, room = 0;
};

bool read_whole(const char* path, Text& out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    static char piece[65536];
    for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;)
        out.append(piece, static_cast<size_t>(got));
    close(fd);
    return true;
}

// ---- Names of programs' functions ----

struct Program {
    char name[16];
    Text file;
    const Elf64_Sym* symbols = nullptr;
    size_t symbol_count = 0;
    const char* names = nullptr;
};
Program programs[64];
size_t program_count;

// Offsets are the file's word: each is checked against its size.
void find_symbols(Program& program) {
    const Text& file = program.file;
    if (file.size < sizeof(Elf64_Ehdr) || memcmp(file.data, ELFMAG, SELFMAG) != 0) return;
    const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file.data);
    if (header.e_shoff > file.size ||
        header.e_shnum > (file.size - header.e_shoff) / sizeof(Elf64_Shdr))
        return;
    const auto* sections = reinterpret_cast<const Elf64_Shdr*>(file.data + header.e_shoff);
    auto inside = [&](const Elf64_Shdr& s) {
        return s.sh_offset <= file.size && s.sh_size <= file.size - s.sh_offset && s.sh_size > 0;
    };
    for (size_t i = 0; i < header.e_shnum; i++) {
        const Elf64_Shdr& table = sections[i];
        if (table.sh_type != SHT_SYMTAB || table.sh_link >= header.e_shnum) continue;
        const Elf64_Shdr& strings = sections[table.sh_link];
        if (!inside(table) || !inside(strings)) continue;
        if (file.data[strings.sh_offset + strings.sh_size - 1] != '\0') continue;
        program.symbols = reinterpret_cast<const Elf64_Sym*>(file.data + table.sh_offset);
        program.symbol_count = table.sh_size / sizeof(Elf64_Sym);
        program.names = file.data + strings.sh_offset;
        for (size_t n = 0; n < program.symbol_count; n++)
            if (program.symbols[n].st_name >= strings.sh_size) program.symbol_count = n;
    }
}

// The first of PATH's folders, or word of the command, where the program lies.
bool load(Program& program, char** command) {
    char path[512];
    for (char** word = command; *word != nullptr; word++) {
        for (const char* at = *word; (at = strchr(at, '/')) != nullptr;) {
            const char* start = at;
            while (start > *word && strchr(" ;|&<>()'\"", start[-1]) == nullptr) start--;
            size_t length = strcspn(start, " ;|&<>()'\"");
            at = start + length;
            snprintf(path, sizeof path, "%.*s", static_cast<int>(length), start);
            const char* base = strrchr(path, '/');
            if (base != nullptr && strncmp(base + 1, program.name, 15) == 0 &&
                read_whole(path, program.file))
                return true;
        }
    }
    const char* folders = getenv("PATH");
    for (const char* at = folders != nullptr ? folders : "/bin:/sbin"; *at != '\0';) {
        size_t length = strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", static_cast<int>(length), at, program.name);
        if (read_whole(path, program.file)) return true;
        at += length + (at[length] == ':');
    }
    return false;
}

const Program* program_named(const char* name, char** command) {
    for (size_t i = 0; i < program_count; i++)
        if (strcmp(programs[i].name, name) == 0) return &programs[i];
    if (program_count == sizeof programs / sizeof *programs) return nullptr;
    Program& program = programs[program_count++];
    snprintf(program.name, sizeof program.name, "%.15s", name);
    if (load(program, command)) find_symbols(program);
    return &program;
}

// "f(unsigned long)" is _Z1fm: the names are there with their lengths, and that is enough to
// recognize a function.
void append_readable(Text& out, const char* name) {
    const char* at = name;
    if (strncmp(at, "_Z", 2) != 0) return out.append(name);
    at += 2;
    while (*at == 'N' || *at == 'L' || *at == 'K') at++;
    bool first = true;
    while (*at >= '1' && *at <= '9') {
        char* text;
        size_t length = strtoul(at, &text, 10);
        if (length > strlen(text)) break;
        at = text + length;
        if (*at == 'L') at++;
        if (strncmp(text, "_GLOBAL__N_1", length) == 0) continue;
        if (!first) out.append("::");
        out.append(text, length);
        first = false;
    }
    if (first) out.append(name);
}

bool append_function(Text& out, const Program* program, uint64_t address) {
    if (program == nullptr) return false;
    for (size_t i = 0; i < program->symbol_count; i++) {
        const Elf64_Sym& symbol = program->symbols[i];
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || address < symbol.st_value ||
            address - symbol.st_value >= symbol.st_size)
            continue;
        append_readable(out, program->names + symbol.st_name);
        return true;
    }
    return false;
}

// ---- Stacks: lines that are kept once, with how often they came ----

struct Line {
    const char* text;
    unsigned long times;
};

struct Lines {
    void add(const char* text, unsigned long times) {
        if (count == room) {
            room = 2 * room + 1024;
            lines = static_cast<Line*>(realloc(lines, room * sizeof(Line)));
            if (lines == nullptr) die("prof");
        }
        lines[count++] = {strdup(text), times};
    }
    // Equal ones become one.
    void merge() {
        qsort(lines, count, sizeof(Line), [](const void* a, const void* b) {
            return strcmp(static_cast<const Line*>(a)->text, static_cast<const Line*>(b)->text);
        });
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            if (kept > 0 && strcmp(lines[kept - 1].text, lines[i].text) == 0)
                lines[kept - 1].times += lines[i].times;
            else lines[kept++] = lines[i];
        }
        count = kept;
    }
    Line* lines = nullptr;
    size_t count = 0, room = 0;
};

// "name;0x401000;f 3" with names for addresses. Frames without one are left out where there is
// one further in.
void take_line(char* line, char** command, Lines& out) {
    char* space = strrchr(line, ' ');
    if (space == nullptr) return;
    *space = '\0';
    char* rest = line;
    const char* name = strsep(&rest, ";");
    const Program* program = program_named(name, command);
    Text folded;
    folded.append(name);
    bool known = false;
    for (const char* frame; (frame = strsep(&rest, ";")) != nullptr;) {
        size_t before = folded.size;
        folded.append(";");
        if (strncmp(frame, "0x", 2) != 0) {
            folded.append(frame);
            known = strcmp(frame, "?") != 0;
        } else {
            known = append_function(folded, program, strtoul(frame, nullptr, 16));
            if (!known) folded.data[folded.size = before] = '\0';
        }
    }
    if (!known) {
        folded.append(";");
        folded.append(kUnknown);
    }
    out.add(folded.data, strtoul(space + 1, nullptr, 10));
    free(folded.data);
}

void take_samples(char** command, Lines& out) {
    Text samples;
    if (!read_whole(kProfile, samples)) die(kProfile);
    char* rest = samples.data;
    if (rest != nullptr)
        for (char* line; (line = strsep(&rest, "\n")) != nullptr;) take_line(line, command, out);
    free(samples.data);
}

// ---- record ----

void switch_sampling(const char* mode) {
    int fd = open(kProfile, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, mode, strlen(mode)) < 0) die(kProfile);
    close(fd);
}

long metric(const char* name) {
    Text metrics;
    read_whole("/proc/metrics", metrics);
    const char* found = metrics.data != nullptr ? strstr(metrics.data, name) : nullptr;
    long value = found != nullptr ? atol(found + strlen(name)) : 0;
    free(metrics.data);
    return value;
}

int record(const char* file, const char* mode, char** command) {
    sigset_t child_ends;
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ends, nullptr);
    switch_sampling(mode);
    pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) {
        sigprocmask(SIG_UNBLOCK, &child_ends, nullptr);
        execvp(*command, command);
        perror(*command);
        _exit(127);
    }
    Lines lines;
    int status = 0;
    constexpr timespec kBetween = {0, 200'000'000};
    while (waitpid(child, &status, WNOHANG) == 0) {
        sigtimedwait(&child_ends, nullptr, &kBetween);
        take_samples(command, lines);
    }
    switch_sampling("0");
    take_samples(command, lines);
    lines.merge();

    FILE* out = fopen(file, "w");
    if (out == nullptr) die(file);
    unsigned long samples = 0;
    for (size_t i = 0; i < lines.count; i++) {
        fprintf(out, "%s %lu\n", lines.lines[i].text, lines.lines[i].times);
        samples += lines.lines[i].times;
    }
    if (fclose(out) != 0) die(file);
    fprintf(stderr, "prof: %lu samples in %s, %ld dropped\n", samples, file,
            metric("\nmello_samples_dropped_total "));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// ---- report ----

struct Function {
    const char* name;
    unsigned long self, all;  // samples in it, and in it or what it called
};
Function functions[4096];
size_t function_count;

Function& function_named(const char* name) {
    for (size_t i = 0; i < function_count; i++)
        if (strcmp(functions[i].name, name) == 0) return functions[i];
    if (function_count == sizeof functions / sizeof *functions) {
        fputs("prof: more functions than the report has room for\n", stderr);
        exit(1);
    }
    functions[function_count] = {name, 0, 0};
    return functions[function_count++];
}

int report(const char* file) {
    Text text;
    if (!read_whole(file, text)) die(file);
    unsigned long total = 0, unknown = 0;
    char* rest = text.data;
    for (char* line; rest != nullptr && (line = strsep(&rest, "\n")) != nullptr;) {
        char* space = strrchr(line, ' ');
        if (space == nullptr) continue;
        *space = '\0';
        unsigned long times = strtoul(space + 1, nullptr, 10);
        total += times;
        Function* seen[64];
        size_t depth = 0;
        strsep(&line, ";");  // the thread
        for (char* frame; (frame = strsep(&line, ";")) != nullptr && depth < 64;) {
            Function& function = function_named(frame);
            bool again = false;  // recursion counts once
            for (size_t i = 0; i < depth; i++) again |= seen[i] == &function;
            if (!again) function.all += times;
            seen[depth++] = &function;
        }
        if (depth == 0) continue;
        seen[depth - 1]->self += times;
        if (strcmp(seen[depth - 1]->name, kUnknown) == 0) unknown += times;
    }
    if (total == 0) {
        puts("no samples");
        return 1;
    }
    qsort(functions, function_count, sizeof(Function), [](const void* a, const void* b) {
        const auto& x = *static_cast<const Function*>(a);
        const auto& y = *static_cast<const Function*>(b);
        unsigned long left = x.self != y.self ? x.self : x.all;
        unsigned long right = x.self != y.self ? y.self : y.all;
        return left < right ? 1 : left > right ? -1 : 0;
    });
    double percent = 100.0 / static_cast<double>(total);
    printf("%lu samples, %.1f %% with a name\n   self    all  function\n", total,
           100 - static_cast<double>(unknown) * percent);
    for (size_t i = 0; i < function_count && i < 40; i++)
        printf("%5.1f %% %5.1f %% %s\n", static_cast<double>(functions[i].self) * percent,
               static_cast<double>(functions[i].all) * percent, functions[i].name);
    return 0;
}

int usage() {
    fputs("usage: prof record [-n] [-o FILE] COMMAND [ARGUMENT]... | prof report [FILE]\n", stderr);
    return 2;
}

}  // namespace

int main(int count, char** words) {
    if (count < 2) return usage();
    if (strcmp(words[1], "report") == 0) return report(count > 2 ? words[2] : kDefaultFile);
    if (strcmp(words[1], "record") != 0) return usage();
    const char* file = kDefaultFile;
    const char* mode = "1";
    char** command = words + 2;
    if (*command != nullptr && strcmp(*command, "-n") == 0) {
        mode = "nmi";
        command++;
    }
    if (*command != nullptr && strcmp(*command, "-o") == 0 && command[1] != nullptr) {
        file = command[1];
        command += 2;
    }
    return *command != nullptr ? record(file, mode, command) : usage();
}
