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
#include <algorithm>

#include "kernel/base/random.h"
#include "kernel/base/runtime.h"
#include "kernel/metrics/latency.h"
#include "kernel/mm/user_access.h"
#include "kernel/sched/run_queue.h"
#include "kernel/task/process.h"
#include "kernel/task/program.h"

namespace {

constexpr VirtAddr kStackTop = kUserTop;
constexpr uint64_t kInitialStack = 128 * 1024;  // it grows
constexpr VirtAddr kRelocatableBase = 0x555555554000;  // as on Linux without ASLR
constexpr uint32_t kMaxPrefix = 9;  // so four scripts in a row at least
// Larger segments are left to fault-around: most of a large program is never run, and each
// page mapped has to be unmapped again (busybox true, all 1.9 MiB at once: 349,000
// instructions instead of 294,000 for vfork, exec and wait under icount, debug build).
constexpr uint64_t kPopulateLimit = 16 * kPageSize;
// Of writable segments, which are copied page by page, only the small ones, that the start
// of the program writes all over (GOT, .data).
constexpr uint64_t kCopyLimit = 8 * kPageSize;


// ---- The program file ----

// An executable file with its first page.
struct ProgramFile {
    InodeRef inode;
    ScratchPage head_page;
    uint64_t size = 0;

    std::span<const uint8_t> head() const {
        return {reinterpret_cast<const uint8_t*>(head_page.data()),
                size < kPageSize ? size : kPageSize};
    }
    PageSource* source() const { return inode->page_source(); }
};

// The calling process may execute it: EACCES, ENOENT, ENOEXEC (empty) and what a path walk
// gives.
Result<ProgramFile> open_program(std::string_view path) {
    ProcessWalk walk = TRY(ProcessWalk::at(AT_FDCWD, path));
    ProgramFile file;
    file.inode.reset(TRY(vfs_walk(walk.context(), kFollow)));
    if (file.inode->type() != S_IFREG || !file.inode->executable()) return Error(EACCES);
    if (file.source() == nullptr) return Error(EACCES);
    file.size = file.inode->stat().size;
    if (file.size == 0) return Error(ENOEXEC);
    file.head_page = ScratchPage(TRY(file.source()->get_page(0)));
    return file;
}

// Where a program has been put.
struct LoadedImage {
    ElfImage image;
    uint64_t bias;  // load address minus link address
};
uint8_t protection_of(uint32_t flags) {
    return static_cast<uint8_t>(((flags & PF_R) != 0 ? kProtRead : 0) |
                                ((flags & PF_W) != 0 ? kProtWrite : 0) |
                                ((flags & PF_X) != 0 ? kProtExecute : 0));
}

Result<void> map_segment(AddressSpace& space, PageSource* source, const Elf64_Phdr& segment,
                         uint64_t bias) {
    constexpr uint32_t kFlags = MAP_PRIVATE | MAP_FIXED;
    uint8_t protection = protection_of(segment.p_flags);
    VirtAddr address = segment.p_vaddr + bias, start = round_down(address, kPageSize);
    VirtAddr file_end = start, end = round_up(address + segment.p_memsz, kPageSize);
    if (segment.p_filesz != 0) {
        file_end = round_up(address + segment.p_filesz, kPageSize);
        uint64_t size = file_end - start;
        TRY(space.map(start, size, protection, kFlags, source,
                      round_down(segment.p_offset, kPageSize)));
        bool writable = (segment.p_flags & PF_W) != 0;
        if (size <= (writable ? kCopyLimit : kPopulateLimit))
            space.populate(start, size, writable ? Access::Write : Access::Read);
    }
    if (end > file_end)
        TRY(space.map(file_end, end - file_end, protection, kFlags | MAP_ANONYMOUS, nullptr, 0));
    return {};
}

// Maps the segments of `file` into `space`: private file mappings and, for what goes beyond
// the file, anonymous memory. A relocatable image goes to `base` (0: where mmap would).
// The rest of a segment's last file page is not cleared yet: clear_tails.
Result<LoadedImage> map_program(AddressSpace& space, const ProgramFile& file,
                                const ElfImage& image, VirtAddr base) {
    if (image.relocatable && base == 0) {
        // Ask mmap for room, then use it.
        uint64_t size = image.high - image.low;
        base = TRY(space.map(0, size, 0, MAP_PRIVATE | MAP_ANONYMOUS, nullptr, 0));
        TRY(space.unmap(base, size));
    }
    LoadedImage loaded = {image, image.relocatable ? base - image.low : 0};
    for (uint32_t i = 0; i < image.segment_count; i++)
        TRY(map_segment(space, file.source(), image.segments[i], loaded.bias));
    return loaded;
}

// Zeroes what follows the file's part in the last page of each segment. In the space itself.
Result<void> clear_tails(const LoadedImage& loaded) {
    for (uint32_t i = 0; i < loaded.image.segment_count; i++) {
        const Elf64_Phdr& segment = loaded.image.segments[i];
        if (segment.p_memsz == segment.p_filesz || segment.p_filesz == 0 ||
            (segment.p_flags & PF_W) == 0)
            continue;
        VirtAddr file_end = segment.p_vaddr + segment.p_filesz + loaded.bias;
        TRY(clear_user(file_end, round_up(file_end, kPageSize) - file_end));
    }
    return {};
}

// ---- execve ----

class Exec {
  public:
    explicit Exec(const char* path)
        : path_(path),
          process_(current_process()),
          args_(process_.limits[RLIMIT_STACK].rlim_cur / 4) {}

    Result<void> prepare(VirtAddr arguments, VirtAddr environment) {
        TRY(follow_scripts());
        TRY(build_space());
        TRY(pack(arguments, environment));
        // What another process shares stays as it is.
        const Ref<SignalActions>& actions = process_.signals.actions;
        files_ = TRY(share_or_clone(process_.files, !process_.files->shared()));
        actions_ = TRY(share_or_clone(actions, !actions->shared()));
        return {};
    }

    // After end_other_threads.
    void commit(TrapFrame& frame) {
        replace_shared();
        reset_process();
        if (!fill_space().ok()) return begin_exit_group(SIGKILL);
        reset_thread(*current_thread());  // last its name: who sees that sees the arguments
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

  private:
    // ---- Before the point of no return ----

    // A script gives two strings of at most 255 bytes together: they all fit the page.
    Result<const char*> keep(std::string_view text) {
        char* kept = TRY(texts_.get()) + texts_size_;
        memcpy(kept, text.data(), text.size());
        kept[text.size()] = '\0';
        texts_size_ += text.size() + 1;
        return kept;
    }

    // #!: the script's argv[0] gives way to "interpreter [argument] script", and the
    // interpreter may be a script again.
    Result<void> follow_scripts() {
        for (binary_ = path_;;) {
            file_ = TRY(open_program(binary_));
            ScriptLine line = TRY(parse_script(file_.head()));
            if (line.interpreter.empty()) return {};
            if (prefix_count_ + 2 > kMaxPrefix) return Error(ELOOP);
            // The interpreter of before: now a script, and named again.
            if (prefix_count_ != 0) prefix_count_--;
            prefix_[prefix_count_++] = binary_;
            if (!line.argument.empty()) prefix_[prefix_count_++] = TRY(keep(line.argument));
            binary_ = prefix_[prefix_count_++] = TRY(keep(line.interpreter));
        }
    }

    Result<void> build_space() {
        ElfImage image = TRY(parse_elf(file_.head(), file_.size));
        space_.reset(TRY(AddressSpace::create()));
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
        ProgramFile interpreter = TRY(open_program(path));
        ElfImage interpreter_image = TRY(parse_elf(interpreter.head(), interpreter.size));
        interpreter_ = TRY(map_program(*space_, interpreter, interpreter_image, 0));
        return {};
    }

    // ---- The stack, put together in kernel memory ----

    Result<void> pack(VirtAddr argv, VirtAddr envp) {
        TRY(args_.add_word(0));  // the count
        for (uint32_t i = prefix_count_; i-- > 0;) TRY(args_.add(prefix_[i]));
        uint64_t arguments = prefix_count_;
        arguments += TRY(args_.add_array(argv, prefix_count_ != 0 ? 1 : 0));
        if (arguments == 0) {  // programs rely on an argv[0] (CVE-2021-4034)
            TRY(args_.add(path_));
            arguments = 1;
        }
        TRY(args_.add_word(0));
        uint64_t arguments_end = args_.strings().size();
        uint64_t environment = TRY(args_.add_array(envp, 0));
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

    Result<void> add_auxiliary(VirtAddr strings) {
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

    // ---- After it ----

    void replace_shared() {
        {
            MutexGuard tree(process_tree);  // for /proc and children that end
            SpinGuard guard(process_.lock);  // for who sends signals
            std::swap(process_.files, files_);
            std::swap(process_.signals.actions, actions_);
            std::swap(process_.space, space_);
            process_.shares_space = false;
        }
        current_thread()->space = process_.space.get();
        switch_space(process_.space.get());
        release_vfork_parent(process_);
        space_.reset(nullptr);  // the old one
    }

    void reset_process() {
        process_.did_exec = true;
        process_.exit_signal = SIGCHLD;
        process_.signals.actions->reset_handlers();
        process_.files->close_for_exec();
        // A program that runs itself anew, perhaps as /proc/self/exe, keeps its path.
        if (file_.inode.get() == process_.executable.get()) return;
        // /proc/<pid>/exe is absolute: static programs of glibc insist on it.
        char path[sizeof process_.executable_path];
        size_t length = 0;
        if (binary_[0] != '/') {
            auto found = vfs_path_of(vfs_root(), process_.working_directory.get(), path,
                                     sizeof path - 2);
            if (found.ok()) length = found.value();
            path[length++] = '/';
        }
        copy_string(path + length, binary_, sizeof path - length);
        SpinGuard guard(process_.lock);
        std::swap(process_.executable, file_.inode);
        copy_string(process_.executable_path, path, sizeof process_.executable_path);
    }

    void reset_thread(Thread& thread) {
        thread.clear_child_tid = 0;
        signal_stack(thread) = {};
        std::string_view path(path_);  // of a file, so no slash is its last character
        copy_string(thread.name, path_ + path.rfind('/') + 1, sizeof thread.name);
        fpu_init_area(thread.fpu);
        fpu_restore(thread.fpu);
        user_bases_set(0, 0);
    }

    // What can be written only in the new space itself.
    Result<void> fill_space() {
        TRY(clear_tails(main_));
        if (interpreter_) TRY(clear_tails(*interpreter_));
        process_.space->populate(stack_pointer_, kStackTop - stack_pointer_, Access::Write);
        TRY(copy_to_user(stack_pointer_, args_.words(), args_.word_count() * sizeof(uint64_t)));
        std::string_view strings = args_.strings();
        return copy_to_user(process_.space->arg_start, strings.data(), strings.size());
    }

    const char* path_;    // as given
    const char* binary_;  // what is run in the end: path_ or the last interpreter
    Process& process_;
    PackedArgs args_;
    ProgramFile file_;
    ScratchPage texts_;               // interpreter and argument of each script met
    size_t texts_size_ = 0;
    const char* prefix_[kMaxPrefix];  // strings in front of argv, last one first
    uint32_t prefix_count_ = 0;
    // Until they are the process's:
    Ref<AddressSpace> space_;
    Ref<FdTable> files_;
    Ref<SignalActions> actions_;
    LoadedImage main_{};
    std::optional<LoadedImage> interpreter_;
    VirtAddr stack_pointer_ = 0;
};

}  // namespace

Result<void> exec_program(const char* path, VirtAddr arguments, VirtAddr environment) {
    LatencyTimer timer(Latency::Exec);
    Exec exec(path);
    TRY(exec.prepare(arguments, environment));
    TRY(end_other_threads());
    exec.commit(*current_thread()->user_frame);
    return {};
}
