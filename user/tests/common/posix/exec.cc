// execve: what reaches the program, what survives in the process, what is refused; #! scripts.
//
// The program that is executed is this one, as `exec-child KIND ...`: exec_child() judges.
#include <elf.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#include "user/tests/common/posix/posix.h"

extern "C" char** environ;

namespace {

constexpr int kRight = 42;  // the status of a child that found all as it should be

char* text(const char* constant) { return const_cast<char*>(constant); }

int execute(const char* path, char* const* arguments, char* const* environment) {
    return run_child([&] {
        execve(path, arguments, environment);
        return 100 + (errno & 0x7f);
    });
}
// With arguments "posix exec-child KIND VALUE" and an empty environment.
int execute_kind(const char* kind, const char* value = "") {
    char* arguments[] = {text("posix"), text("exec-child"), text(kind), text(value), nullptr};
    char* environment[] = {nullptr};
    return execute(own_path(), arguments, environment);
}

long execute_error(const char* path) {
    static char* arguments[] = {text("x"), nullptr};
    static char* environment[] = {nullptr};
    return execve(path, arguments, environment);
}

int count(char** list) {
    int n = 0;
    while (list[n] != nullptr) n++;
    return n;
}

// What the kernel has to tell a program: ELF auxiliary vector.
int check_auxiliary() {
    if (getauxval(AT_PAGESZ) != kPage) return 1;
    if (getauxval(AT_PHDR) == 0 || getauxval(AT_PHNUM) == 0) return 2;
    if (getauxval(AT_PHENT) != sizeof(Elf64_Phdr)) return 3;
    auto* entry = reinterpret_cast<unsigned char*>(getauxval(AT_ENTRY));
    if (entry == nullptr || getauxval(AT_UID) != getuid()) return 4;
    auto* random = reinterpret_cast<char*>(getauxval(AT_RANDOM));
    if (random == nullptr || all_bytes(random, 16, random[0])) return 5;
    auto* headers = reinterpret_cast<Elf64_Phdr*>(getauxval(AT_PHDR));
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
        if (headers[i].p_type == PT_LOAD) return kRight;
    }
    return 6;
}

int check_memory_zero() {
    static char never_written[50000];
    long heap = syscall(SYS_brk, 0);
    long grown = syscall(SYS_brk, heap + 4 * kPage);
    if (grown == heap || !all_bytes(never_written, sizeof never_written, 0)) return 1;
    return all_bytes(reinterpret_cast<char*>(heap), 4 * kPage, 0) ? kRight : 2;
}

// Descriptor 60 must be closed, 61 open at offset 5.
int check_descriptors() {
    if (fcntl(60, F_GETFD) != -1) return 1;
    return lseek(61, 0, SEEK_CUR) == 5 ? kRight : 2;
}

int check_signals() {
    struct sigaction action;
    sigaction(SIGUSR1, nullptr, &action);
    if (action.sa_handler != SIG_IGN) return 1;
    sigaction(SIGUSR2, nullptr, &action);
    if (action.sa_handler != SIG_DFL) return 2;
    sigset_t mask, pending;
    sigprocmask(SIG_BLOCK, nullptr, &mask);
    sigpending(&pending);
    if (!sigismember(&mask, SIGTERM) || sigismember(&mask, SIGHUP)) return 3;
    return sigismember(&pending, SIGTERM) ? kRight : 4;
}

int check_fresh_fpu() {
    uint32_t mxcsr;
    uint16_t control;
    asm("stmxcsr %0" : "=m"(mxcsr));
    asm("fnstcw %0" : "=m"(control));
    return mxcsr == 0x1f80 && control == 0x37f ? kRight : 1;
}

}  // namespace

int exec_child(int argc, char** argv) {
    const char* kind = argc > 2 ? argv[2] : "";
    const char* value = argc > 3 ? argv[3] : "";
    auto is = [kind](const char* name) { return strcmp(kind, name) == 0; };
    if (is("status")) return atoi(value);
    if (is("auxiliary")) return check_auxiliary();
    if (is("memory")) return check_memory_zero();
    if (is("descriptors")) return check_descriptors();
    if (is("signals")) return check_signals();
    if (is("fpu")) return check_fresh_fpu();
    if (is("pid")) return atoi(value) == getpid() ? kRight : 1;
    if (is("argc")) return atoi(value) == argc && argv[argc] == nullptr ? kRight : 1;
    if (is("variables")) return atoi(value) == count(environ) ? kRight : count(environ);
    if (is("home")) return strcmp(getenv("HOME") ? getenv("HOME") : "", value) == 0 ? kRight : 1;
    if (is("long")) {
        for (int i = 4; i < argc; i++) {
            if (strlen(argv[i]) != static_cast<size_t>(atoi(value))) return 1;
            if (!all_bytes(argv[i], strlen(argv[i]), 'L')) return 2;
        }
        return kRight;
    }
    if (is("same")) {  // argument i+4 is the text "argument I"
        char wanted[32];
        for (int i = 4; i < argc; i++) {
            snprintf(wanted, sizeof wanted, "argument %d", i);
            if (strcmp(wanted, argv[i]) != 0) return 1;
        }
        return argc == atoi(value) ? kRight : 2;
    }
    return 99;
}

namespace {

void test_arguments() {
    check_exited("status", 17, execute_kind("status", "17"));
    static char texts[3000][20];
    static char* arguments[3005] = {text("posix"), text("exec-child"), text("same"),
                                    text("3000")};
    static char* environment[3005] = {nullptr};
    for (int i = 4; i < 3000; i++) {
        snprintf(texts[i], sizeof texts[i], "argument %d", i);
        arguments[i] = texts[i];
    }
    check_exited("3000_arguments", kRight, execute(own_path(), arguments, environment));
    arguments[4] = nullptr;
    arguments[2] = text("variables");
    for (int i = 0; i < 3000; i++) {
        snprintf(texts[i], sizeof texts[i], "V%d=%d", i, i);
        environment[i] = texts[i];
    }
    check_exited("3000_variables", kRight, execute(own_path(), arguments, environment));
    char* few[] = {text("HOME=/here"), nullptr};
    char* home[] = {text(""), text("exec-child"), text("home"), text("/here"), nullptr};
    check_exited("environment", kRight, execute(own_path(), home, few));
    char* empty[] = {text("posix"), text("exec-child"), text("argc"), text("6"), text(""),
                     text(""),      nullptr};
    environment[0] = nullptr;
    check_exited("empty_arguments", kRight, execute(own_path(), empty, environment));
    check_exited("no_environment", kRight, execute(own_path(), empty, nullptr));
    static char longest[40001];  // three of them: close to the 128 KiB any system must take
    memset(longest, 'L', 40000);
    char* large[] = {text("posix"), text("exec-child"), text("long"), text("40000"),
                     longest,       longest,            longest,      nullptr};
    check_exited("40000_bytes_each", kRight, execute(own_path(), large, environment));
}

void test_survives() {
    check_exited("auxiliary_vector", kRight, execute_kind("auxiliary"));
    memset(map_pages(200), 'x', 200 * kPage);
    check_exited("memory_is_fresh", kRight, execute_kind("memory"));
    int fd = make_file("file", 100);
    lseek(fd, 5, SEEK_SET);
    dup3(fd, 60, O_CLOEXEC);
    dup2(fd, 61);
    check_exited("descriptors", kRight, execute_kind("descriptors"));
    check_works("cloexec_only_there", fcntl(60, F_GETFD));
    close(60);
    close(61);
    close(fd);
    check_exited("pid_stays", kRight, run_child([] {
                     char number[16];
                     snprintf(number, sizeof number, "%d", getpid());
                     char* arguments[] = {text("posix"), text("exec-child"), text("pid"), number,
                                          nullptr};
                     char* environment[] = {nullptr};
                     return execve(own_path(), arguments, environment);
                 }));
    check_exited("signals", kRight, run_child([] {
                     signal(SIGUSR1, SIG_IGN);
                     signal(SIGUSR2, [](int) {});
                     sigset_t set;
                     sigemptyset(&set);
                     sigaddset(&set, SIGTERM);
                     sigprocmask(SIG_SETMASK, &set, nullptr);
                     raise(SIGTERM);
                     char* arguments[] = {text("posix"), text("exec-child"), text("signals"),
                                          nullptr};
                     char* environment[] = {nullptr};
                     return execve(own_path(), arguments, environment);
                 }));
    uint32_t mxcsr = 0x9fc0;
    asm volatile("ldmxcsr %0" ::"m"(mxcsr));
    check_exited("fpu_is_fresh", kRight, execute_kind("fpu"));
    mxcsr = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(mxcsr));
    // Twenty generations in one process.
    int status = 0, wrong = 0;
    for (int i = 0; i < 20; i++) {
        status = execute_kind("status", "3");
        wrong += status == -1 || WEXITSTATUS(status) != 3;
    }
    check_equal("again_and_again", 0, wrong);
}

}  // namespace

void test_exec() {
    test_arguments();
    test_survives();
}

namespace {

void make_elf(const char* name, void (*change)(Elf64_Ehdr&, Elf64_Phdr&), size_t size) {
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        char code[64];
    } image = {};
    memcpy(image.header.e_ident, "\x7f" "ELF\2\1\1", 7);
    image.header.e_type = ET_EXEC;
    image.header.e_machine = EM_X86_64;
    image.header.e_version = 1;
    image.header.e_phoff = sizeof image.header;
    image.header.e_ehsize = sizeof image.header;
    image.header.e_phentsize = sizeof image.segment;
    image.header.e_phnum = 1;
    image.segment.p_type = PT_LOAD;
    image.segment.p_flags = PF_R | PF_X;
    image.segment.p_vaddr = image.segment.p_paddr = 0x400000;
    image.segment.p_filesz = image.segment.p_memsz = sizeof image;
    image.segment.p_align = kPage;
    image.header.e_entry = 0x400000 + offsetof(decltype(image), code);
    // mov $60, %eax; mov $33, %edi; syscall
    memcpy(image.code, "\xb8\x3c\0\0\0\xbf\x21\0\0\0\x0f\x05", 12);
    change(image.header, image.segment);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    write(fd, &image, size == 0 ? sizeof image : size);
    close(fd);
}

// A broken program either is refused or dies of SIGSEGV or SIGKILL; nothing else dies with it.
void check_broken(const char* name, void (*change)(Elf64_Ehdr&, Elf64_Phdr&), size_t size = 0) {
    make_elf("broken", change, size);
    char* arguments[] = {text("x"), nullptr};
    int status = execute("broken", arguments, arguments + 1);
    bool refused = WIFEXITED(status) && WEXITSTATUS(status) > 100;
    check(name, refused || WIFSIGNALED(status));
}

}  // namespace

void test_exec_errors() {
    make_text("data", "no program at all", 0755);
    make_text("forbidden", "x", 0644);
    make_text("empty", "", 0755);
    mkdir("dir", 0755);
    symlink("loop", "loop");
    check_fails("missing", ENOENT, execute_error("missing"));
    check_fails("empty_path", ENOENT, execute_error(""));
    check_fails("not_executable", EACCES, execute_error("forbidden"));
    check_fails("directory", EACCES, execute_error("dir"));
    check_fails("device", EACCES, execute_error("/dev/null"));
    check_fails("not_a_directory", ENOTDIR, execute_error("data/x"));
    check_fails("loop", ELOOP, execute_error("loop"));
    check_fails("no_format", ENOEXEC, execute_error("data"));
    check_fails("no_contents", ENOEXEC, execute_error("empty"));
    static char huge[200000];
    memset(huge, 'h', sizeof huge - 1);
    char* one[] = {text("x"), huge, nullptr};
    char* none[] = {nullptr};
    check_fails("argument_too_long", E2BIG, execve(own_path(), one, none));
    check_fails("variable_too_long", E2BIG, execve(own_path(), none, one));
    huge[100000] = '\0';
    static char* many[101];
    for (int i = 0; i < 100; i++) many[i] = huge;
    check_fails("arguments_too_long", E2BIG, execve(own_path(), many, none));
    check_works("lives_on", getpid());

    char* arguments[] = {text("x"), nullptr};
    make_elf("tiny", [](Elf64_Ehdr&, Elf64_Phdr&) {}, 0);
    check_exited("smallest_program", 33, execute("tiny", arguments, none));
    check_broken("truncated_header", [](Elf64_Ehdr&, Elf64_Phdr&) {}, 40);
    check_broken("truncated_segments", [](Elf64_Ehdr&, Elf64_Phdr&) {}, 70);
    check_broken("wrong_machine", [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_machine = EM_386; });
    check_broken("object_file", [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_type = ET_REL; });
    check_broken("entry_nowhere", [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_entry = 0x10; });
    check_broken("entry_in_kernel",
                 [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_entry = 0xffffffff80000000; });
    check_broken("entry_not_canonical",
                 [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_entry = 0x0000800000000000; });
    check_broken("segment_in_kernel", [](Elf64_Ehdr&, Elf64_Phdr& s) {
        s.p_vaddr = 0xffffffff80000000;
    });
    check_broken("segment_wraps", [](Elf64_Ehdr&, Elf64_Phdr& s) {
        s.p_memsz = 0xfffffffffffff000;
    });
    check_broken("file_larger_than_memory",
                 [](Elf64_Ehdr&, Elf64_Phdr& s) { s.p_filesz = s.p_memsz + 1000; });
    check_broken("no_segments", [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_phnum = 0; });
    check_broken("headers_behind_the_end",
                 [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_phoff = 1ul << 40; });
    check_broken("header_size", [](Elf64_Ehdr& h, Elf64_Phdr&) { h.e_phentsize = 8; });
}

void test_scripts() {
    char script[600];
    symlink(own_path(), "interpreter");
    char directory[300];
    if (getcwd(directory, sizeof directory) == nullptr) return;
    char* arguments[] = {text("own-name"), text("8"), nullptr};
    char* environment[] = {nullptr};
    // interpreter exec-child argc?: the one optional argument is "exec-child", so the script's
    // own path is the kind; a script named `status` therefore returns its first argument.
    snprintf(script, sizeof script, "#!%s/interpreter exec-child\nignored\n", directory);
    make_text("status", script, 0755);
    check_exited("with_argument", 8, execute("status", arguments, environment));
    snprintf(script, sizeof script, "#!   %s/interpreter   exec-child  \n", directory);
    make_text("status", script, 0755);
    check_exited("with_spaces", 8, execute("status", arguments, environment));
    snprintf(script, sizeof script, "#!%s/interpreter exec-child", directory);
    make_text("status", script, 0755);
    check_exited("without_newline", 8, execute("status", arguments, environment));
    snprintf(script, sizeof script, "#!%s/status\n", directory);
    make_text("outer", script, 0755);
    // Becomes: interpreter exec-child DIRECTORY/status outer 8; the kind is a path.
    check_exited("nested", 99, execute("outer", arguments, environment));
    make_text("lost", "#!/missing/interpreter\n", 0755);
    check_fails("interpreter_missing", ENOENT, execute_error("lost"));
    make_text("none", "#!\n", 0755);
    check_fails("no_interpreter", ENOEXEC, execute_error("none"));
    make_text("plain", "x", 0644);
    snprintf(script, sizeof script, "#!%s/plain\n", directory);
    make_text("refused", script, 0755);
    check_fails("interpreter_not_executable", EACCES, execute_error("refused"));
    snprintf(script, sizeof script, "#!%s/itself\n", directory);
    make_text("itself", script, 0755);
    check_fails("interprets_itself", ELOOP, execute_error("itself"));
    make_text("unreadable", "#!/bin/sh\n", 0644);
    check_fails("script_not_executable", EACCES, execute_error("unreadable"));
    make_text("shell", "#!/bin/sh\nexit $((40 + $#))\n", 0755);
    check_exited("shell", 41, execute("shell", arguments, environment));
}
