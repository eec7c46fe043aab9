// execve(2): a new program in the calling process.
//
//   prepare()  finds the program (through scripts and to its interpreter), builds a complete
//              address space, packs the arguments. Whatever fails here leaves the caller as
//              it was.
//   commit()   ends the other threads and puts the new space in place of the old: the point
//              of no return. What fails after it (memory for the first stack page) kills the
//              process, as there is nothing left to return to.
//
// The stack that the program finds (System V ABI x86-64, 3.4.1), from the top:
//   a null word; the strings; padding; 16 random bytes; auxiliary vector;
//   environment pointers, null; argument pointers, null; count <- RSP
#include <optional>

#include "kernel/arch/features.h"
#include "kernel/arch/fpu.h"
#include "kernel/base/random.h"
#include "kernel/base/string.h"
#include "kernel/metrics/counters.h"
#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/task/exec_args.h"
#include "kernel/task/process_private.h"
#include "kernel/task/program.h"

namespace {

constexpr VirtAddr kStackTop = kUserTop;
constexpr uint64_t kInitialStack = 128 * 1024;  // it grows
constexpr VirtAddr kRelocatableBase = 0x555555554000;  // as on Linux without ASLR
constexpr uint32_t kMaxPrefix = 9;  // so four scripts in a row at least
constexpr const char* kInitEnvironment[] = {"HOME=/", "TERM=linux",
                                            "PATH=/bin:/sbin:/usr/bin:/usr/sbin"};

// The addresses of argv and envp.
struct ArgumentLists {
    VirtAddr arguments, environment;
};

class Exec {
  public:
    explicit Exec(const char* path)
        : path_(path), process_(current_process()), args_(process_.limits[RLIMIT_STACK].rlim_cur / 4) {}
    ~Exec() {
        if (space_ != nullptr) space_->unref();
    }
    // No lists: init's, which has no user memory to take them from.
    Result<void> prepare(const ArgumentLists* lists);
    // After end_other_threads.
    void commit(TrapFrame& frame);

  private:
    Result<const char*> keep(std::string_view text);
    Result<void> follow_scripts();
    Result<void> build_space();
    Result<void> pack(const ArgumentLists* lists);
    Result<void> add_auxiliary(VirtAddr strings);

    void replace_space();
    void reset_process();
    void reset_thread(Thread& thread);
    Result<void> fill_space();

    const char* path_;    // as given
    const char* binary_;  // what is run in the end: path_ or the last interpreter
    Process& process_;
    PackedArgs args_;
    ProgramFile file_;
    ScratchPage texts_;               // interpreter and argument of each script met
    size_t texts_size_ = 0;
    const char* prefix_[kMaxPrefix];  // strings in front of argv, last one first
    uint32_t prefix_count_ = 0;
    AddressSpace* space_ = nullptr;
    LoadedImage main_{};
    std::optional<LoadedImage> interpreter_;
    VirtAddr stack_pointer_ = 0;
};

// A script gives two strings of at most 255 bytes together: they all fit the page.
Result<const char*> Exec::keep(std::string_view text) {
    char* kept = TRY(texts_.get()) + texts_size_;
    memcpy(kept, text.data(), text.size());
    kept[text.size()] = '\0';
    texts_size_ += text.size() + 1;
    return kept;
}

// #!: the script's argv[0] gives way to "interpreter [argument] script", and the
// interpreter may be a script again.
Result<void> Exec::follow_scripts() {
    for (binary_ = path_;;) {
        file_ = TRY(ProgramFile::open(binary_));
        if (!is_script(file_.head())) return {};
        if (prefix_count_ + 2 > kMaxPrefix) return Error(ELOOP);
        ScriptLine line = TRY(parse_script(file_.head()));
        // The interpreter of before: now a script, and named again.
        if (prefix_count_ != 0) prefix_count_--;
        prefix_[prefix_count_++] = binary_;
        if (!line.argument.empty()) prefix_[prefix_count_++] = TRY(keep(line.argument));
        binary_ = prefix_[prefix_count_++] = TRY(keep(line.interpreter));
    }
}

Result<void> Exec::build_space() {
    ElfImage image = TRY(parse_elf(file_.head(), file_.size));
    space_ = TRY(AddressSpace::create());
    space_->limit_bytes = process_.limits[RLIMIT_AS].rlim_cur;
    TRY(space_->map_stack(kStackTop, kInitialStack, process_.limits[RLIMIT_STACK].rlim_cur));
    main_ = TRY(map_program(*space_, file_, image, kRelocatableBase));
    space_->code_start = image.low + main_.bias;
    space_->code_end = image.high + main_.bias;
    space_->init_break(image.high + main_.bias);
    if (image.interpreter_size == 0) return {};

    ScratchPage page;  // a copy, as others may write to the file
    char* path = TRY(page.get());
    memcpy(path, file_.head().data() + image.interpreter_offset, image.interpreter_size);
    if (path[image.interpreter_size - 1] != '\0') return Error(ENOEXEC);
    ProgramFile interpreter = TRY(ProgramFile::open(path));
    ElfImage interpreter_image = TRY(parse_elf(interpreter.head(), interpreter.size));
    interpreter_ = TRY(map_program(*space_, interpreter, interpreter_image, 0));
    return {};
}

// ---- The stack, put together in kernel memory ----

Result<void> Exec::pack(const ArgumentLists* lists) {
    TRY(args_.add_word(0));  // the count
    for (uint32_t i = prefix_count_; i-- > 0;) TRY(args_.add(prefix_[i]));
    uint64_t arguments = prefix_count_, environment = 0;
    if (lists != nullptr)
        arguments += TRY(args_.add_array(lists->arguments, prefix_count_ != 0 ? 1 : 0));
    if (arguments == 0) {  // programs rely on an argv[0] (CVE-2021-4034)
        TRY(args_.add(lists != nullptr ? "" : path_));
        arguments = 1;
    }
    TRY(args_.add_word(0));
    uint64_t arguments_end = args_.strings().size();
    if (lists != nullptr) {
        environment = TRY(args_.add_array(lists->environment, 0));
    } else {
        for (const char* variable : kInitEnvironment) TRY(args_.add(variable));
        environment = std::size(kInitEnvironment);
    }
    TRY(args_.add_word(0));
    uint64_t environment_end = args_.strings().size();
    TRY(args_.add_word(AT_EXECFN));
    TRY(args_.add(path_));

    // Now it is known where the strings will lie.
    VirtAddr strings = kStackTop - sizeof(uint64_t) - args_.strings().size();
    uint64_t* words = args_.words();
    words[0] = arguments;
    for (uint64_t i = 0; i < arguments; i++) words[1 + i] += strings;
    for (uint64_t i = 0; i < environment; i++) words[2 + arguments + i] += strings;
    words[args_.word_count() - 1] += strings;
    space_->arg_start = strings;
    space_->arg_end = space_->env_start = strings + arguments_end;
    space_->env_end = strings + environment_end;
    return add_auxiliary(strings);
}

Result<void> Exec::add_auxiliary(VirtAddr strings) {
    const ElfImage& image = main_.image;
    VirtAddr headers = image.program_headers == 0 ? 0 : image.program_headers + main_.bias;
    constexpr uint64_t kHwcap2FsGsBase = 2;
    uint64_t random[2];
    random_fill(random, sizeof random);
    uint64_t auxiliary[][2] = {
        {AT_PHDR, headers},
        {AT_PHENT, sizeof(Elf64_Phdr)},
        {AT_PHNUM, image.program_header_count},
        {AT_PAGESZ, kPageSize},
        {AT_BASE, interpreter_ ? interpreter_->bias : 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, image.entry + main_.bias},
        {AT_UID, 0},
        {AT_EUID, 0},
        {AT_GID, 0},
        {AT_EGID, 0},
        {AT_HWCAP, x86::cpuid(1).edx},
        {AT_HWCAP2, cpu_features.fsgsbase ? kHwcap2FsGsBase : 0},
        {AT_CLKTCK, 100},
        {AT_SECURE, 0},
        {AT_MINSIGSTKSZ, 1024 + cpu_features.xsave_size},
        {AT_RANDOM, 0},  // set below
        {AT_NULL, 0},
        {random[0], random[1]},
    };
    constexpr uint64_t kPairs = std::size(auxiliary);
    uint64_t size = args_.word_count() * sizeof(uint64_t) + sizeof auxiliary;
    stack_pointer_ = space_->stack_start = round_down(strings - size, 16);
    auxiliary[kPairs - 3][1] = stack_pointer_ + size - sizeof random;
    for (const auto& pair : auxiliary) {
        for (uint64_t word : pair) TRY(args_.add_word(word));
    }
    return {};
}

// What is shared with another process becomes ours alone.
template <typename T>
Result<void> unshare(T*& object) {
    if (!object->shared()) return {};
    T* own = TRY(object->clone());
    MutexGuard tree(process_tree);
    std::exchange(object, own)->unref();
    return {};
}

Result<void> Exec::prepare(const ArgumentLists* lists) {
    TRY(follow_scripts());
    TRY(build_space());
    TRY(pack(lists));
    TRY(unshare(process_.files));
    return unshare(process_.signals.actions);
}

// ---- The point of no return ----

void Exec::replace_space() {
    AddressSpace* old;
    {
        MutexGuard tree(process_tree);  // for /proc
        old = std::exchange(process_.space, space_);
        process_.shares_space = false;
    }
    current_thread()->space = space_;
    switch_space(space_);
    space_ = nullptr;
    release_vfork_parent(process_);
    if (old != nullptr) old->unref();
}

void Exec::reset_process() {
    process_.did_exec = true;
    process_.exit_signal = SIGCHLD;
    process_.signals.actions->reset_handlers();
    process_.files->close_for_exec();
    Inode* old;
    {
        SpinGuard guard(process_.lock);
        old = std::exchange(process_.executable, file_.inode.release());
        copy_string(process_.executable_path, binary_, sizeof process_.executable_path);
    }
    if (old != nullptr) old->unref();
}

void Exec::reset_thread(Thread& thread) {
    thread.clear_child_tid = 0;
    signal_stack(thread) = {};
    std::string_view path(path_);  // of a file, so no slash is its last character
    copy_string(thread.name, path_ + path.rfind('/') + 1, sizeof thread.name);
    fpu_init_area(thread.fpu);
    fpu_restore(thread.fpu);
    user_bases_set(0, 0);
}

// What can be written only in the new space itself.
Result<void> Exec::fill_space() {
    TRY(clear_tails(main_));
    if (interpreter_) TRY(clear_tails(*interpreter_));
    process_.space->populate(stack_pointer_, kStackTop - stack_pointer_, Access::Write);
    TRY(copy_to_user(stack_pointer_, args_.words(), args_.word_count() * sizeof(uint64_t)));
    std::string_view strings = args_.strings();
    return copy_to_user(process_.space->arg_start, strings.data(), strings.size());
}

void Exec::commit(TrapFrame& frame) {
    replace_space();
    reset_process();
    reset_thread(*current_thread());
    if (!fill_space().ok()) return begin_exit_group(SIGKILL);
    const LoadedImage& first = interpreter_ ? *interpreter_ : main_;
    constexpr uint64_t kFlagsAtStart = 0x202;  // IF and the bit that is always set
    // RCX differs from RIP, so the way out restores all registers (solutions/3-syscall).
    frame = {};
    frame.vector = kSyscallVector;
    frame.rip = first.image.entry + first.bias;
    frame.cs = USER_CS | 3;
    frame.rflags = kFlagsAtStart;
    frame.rsp = stack_pointer_;
    frame.ss = USER_DS | 3;
    count_event(Event::Execs);
}

Result<void> run(const char* path, const ArgumentLists* lists) {
    Exec exec(path);
    TRY(exec.prepare(lists));
    TRY(end_other_threads());
    exec.commit(*current_thread()->user_frame);
    return {};
}

}  // namespace

Result<void> exec_user(VirtAddr path, VirtAddr arguments, VirtAddr environment) {
    ScratchPage page;
    char* text = TRY(page.get());
    TRY(copy_string_from_user(text, path, kMaxPath));
    ArgumentLists lists = {arguments, environment};
    return run(text, &lists);
}

Result<void> exec_init(const char* path) { return run(path, nullptr); }
