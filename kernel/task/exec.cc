// execve(2): a new program in the calling process.
//
//   prepare()  finds the program (through scripts and to its interpreter), packs the
//              arguments, builds a complete address space. Whatever fails here leaves the
//              caller as it was.
//   commit()   ends the other threads and puts the new space in place of the old: the point
//              of no return. What fails after it (memory for the first stack page) kills the
//              process, as there is nothing left to return to.
//
// The stack that the program finds (System V ABI x86-64, 3.4.1), from the top:
//   a null word; the strings; 16 random bytes and the platform's name; padding;
//   auxiliary vector; environment pointers, null; argument pointers, null; count <- RSP
#include <optional>

#include "kernel/abi/elf.h"
#include "kernel/arch/features.h"
#include "kernel/arch/fpu.h"
#include "kernel/base/format.h"
#include "kernel/base/random.h"
#include "kernel/base/string.h"
#include "kernel/mm/user_access.h"
#include "kernel/metrics/counters.h"
#include "kernel/sched/run_queue.h"
#include "kernel/sched/user_bases.h"
#include "kernel/task/exec_args.h"
#include "kernel/task/process.h"
#include "kernel/task/process_private.h"
#include "kernel/task/program.h"

namespace {

constexpr VirtAddr kStackTop = kUserTop;
constexpr uint64_t kInitialStack = 128 * 1024;  // it grows
constexpr VirtAddr kRelocatableBase = 0x555555554000;  // as on Linux without ASLR
constexpr int kMaxScripts = 4;
constexpr uint64_t kPlatformSize = 8;
constexpr char kPlatform[kPlatformSize] = "x86_64";
constexpr uint64_t kRandomSize = 16;

// ---- Arguments ----

class UserArgs : public ArgSource {
  public:
    Result<uint64_t> fetch_pointer(uint64_t address) override {
        return UserIn<uint64_t>(address).read();
    }
    Result<size_t> fetch_string(char* to, uint64_t address, size_t size) override {
        if (address >= kUserTop) return Error(EFAULT);
        if (size > kUserTop - address) size = kUserTop - address;
        uint8_t faulted = 0;
        size_t copied = user_copy_string(to, address, size, &faulted);
        if (copied == 0 || (faulted != 0 && to[copied - 1] != '\0')) return Error(EFAULT);
        return copied;
    }
    char* new_page() override {
        Result<Frame*> frame = frame_alloc();
        return frame.ok() ? static_cast<char*>(frame_data(frame.value())) : nullptr;
    }
    void free_page(char* page) override { frame_unref(frame_of(virt_to_phys(page))); }
};

// Init's: addresses are the kernel's.
class KernelArgs final : public UserArgs {
  public:
    Result<uint64_t> fetch_pointer(uint64_t address) override {
        return *reinterpret_cast<const uint64_t*>(address);
    }
    Result<size_t> fetch_string(char* to, uint64_t address, size_t size) override {
        auto* from = reinterpret_cast<const char*>(address);
        size_t length = strnlen(from, size - 1) + 1;
        memcpy(to, from, length);
        return length;
    }
};

// The addresses of argv and envp.
struct ArgumentLists {
    uint64_t arguments, environment;
};

// ---- One execve ----

class Exec {
  public:
    Exec(const char* path, ArgSource& source)
        : path_(path),
          process_(current_process()),
          args_(source, process_.limits[kLimitStack].soft / 4) {}
    ~Exec() {
        if (space_ != nullptr) space_->unref();
    }
    Result<void> prepare(const ArgumentLists& lists);
    // After end_other_threads.
    void commit(TrapFrame& frame);

  private:
    Result<void> follow_scripts();
    Result<void> pack(const ArgumentLists& lists);
    Result<void> build_space();

    void replace_space();
    void reset_process();
    void reset_thread(Thread& thread);
    Result<VirtAddr> build_stack();
    Result<void> write_words(VirtAddr sp, VirtAddr strings, VirtAddr block);

    const char* path_;    // as given
    const char* binary_;  // what is run in the end: path_ or the last interpreter
    Process& process_;
    PackedArgs args_;
    ProgramFile file_;
    PageBuffer scripts_;              // interpreter and argument of each script met
    const char* prefix_[2 * kMaxScripts + 1];  // strings in front of argv, last one first
    uint32_t prefix_count_ = 0;
    uint32_t argument_count_ = 0, environment_count_ = 0;
    AddressSpace* space_ = nullptr;
    LoadedImage main_{};
    std::optional<LoadedImage> interpreter_;
};

// #!: the script's argv[0] gives way to "interpreter [argument] script", and the
// interpreter may be a script again.
Result<void> Exec::follow_scripts() {
    binary_ = path_;
    file_ = TRY(ProgramFile::open(path_));
    char* space = nullptr;
    for (int depth = 0; is_script(file_.head()); depth++) {
        if (depth == kMaxScripts) return Error(ELOOP);
        if (depth == 0) {
            scripts_ = TRY(PageBuffer::create());
            space = scripts_.data();
        } else {
            prefix_count_--;  // the interpreter of before: now a script, named again below
        }
        ScriptLine line = TRY(parse_script(file_.head()));
        prefix_[prefix_count_++] = binary_;
        // Two strings of at most 255 bytes a script: they fit the page.
        auto keep = [&space](std::string_view text) {
            char* kept = space;
            memcpy(space, text.data(), text.size());
            space += text.size();
            *space++ = '\0';
            return kept;
        };
        if (!line.argument.empty()) prefix_[prefix_count_++] = keep(line.argument);
        binary_ = prefix_[prefix_count_++] = keep(line.interpreter);
        file_ = TRY(ProgramFile::open(binary_));
    }
    return {};
}

Result<void> Exec::pack(const ArgumentLists& lists) {
    for (uint32_t i = prefix_count_; i-- > 0;) TRY(args_.add(prefix_[i]));
    uint32_t skip = prefix_count_ != 0 ? 1 : 0;
    argument_count_ = prefix_count_ + TRY(args_.add_array(lists.arguments, skip));
    if (argument_count_ == 0) {  // programs rely on an argv[0] (CVE-2021-4034)
        TRY(args_.add(""));
        argument_count_ = 1;
    }
    environment_count_ = TRY(args_.add_array(lists.environment, 0));
    return args_.add(path_);  // AT_EXECFN
}

Result<void> Exec::build_space() {
    ElfImage image = TRY(parse_elf(file_.head(), file_.size));
    space_ = TRY(AddressSpace::create());
    space_->limit_bytes = process_.limits[kLimitAddressSpace].soft;
    TRY(space_->map_stack(kStackTop, kInitialStack, process_.limits[kLimitStack].soft));
    main_ = TRY(map_program(*space_, file_, image, kRelocatableBase));
    space_->code_start = image.low + main_.bias;
    space_->code_end = image.high + main_.bias;
    space_->init_break(image.high + main_.bias);
    if (image.interpreter_size == 0) return {};

    PageBuffer path = TRY(PageBuffer::create());  // a copy, as others may write to the file
    memcpy(path.data(), file_.head().data() + image.interpreter_offset, image.interpreter_size);
    if (path.data()[image.interpreter_size - 1] != '\0') return Error(ENOEXEC);
    ProgramFile interpreter = TRY(ProgramFile::open(path.data()));
    ElfImage interpreter_image = TRY(parse_elf(interpreter.head(), interpreter.size));
    interpreter_ = TRY(map_program(*space_, interpreter, interpreter_image, 0));
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

Result<void> Exec::prepare(const ArgumentLists& lists) {
    TRY(follow_scripts());
    TRY(pack(lists));
    TRY(build_space());
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
    thread.robust_list = thread.clear_child_tid = 0;
    signal_stack(thread) = {};
    std::string_view path(path_);  // of a file, so no slash is its last character
    copy_string(thread.name, path_ + path.rfind('/') + 1, sizeof thread.name);
    fpu_init_area(thread.fpu);
    fpu_restore(thread.fpu);
    user_bases_set(0, 0);
}

constexpr uint64_t kAuxiliaryWords = 2 * 20;

Result<void> Exec::write_words(VirtAddr sp, VirtAddr strings, VirtAddr block) {
    const ElfImage& image = main_.image;
    // Words go to the stack many at a time.
    uint64_t words[64];
    size_t count = 0;
    auto flush = [&]() -> Result<void> {
        TRY(copy_to_user(sp, words, count * sizeof(uint64_t)));
        sp += count * sizeof(uint64_t);
        count = 0;
        return {};
    };
    auto put = [&](uint64_t word) -> Result<void> {
        words[count++] = word;
        return count == std::size(words) ? flush() : Result<void>{};
    };
    TRY(put(argument_count_));
    uint32_t index = 0;
    for (; index < argument_count_; index++) TRY(put(strings + args_.offset(index)));
    TRY(put(0));
    for (; index < argument_count_ + environment_count_; index++)
        TRY(put(strings + args_.offset(index)));
    TRY(put(0));
    VirtAddr headers = image.program_headers == 0 ? 0 : image.program_headers + main_.bias;
    constexpr uint64_t kHwcap2FsGsBase = 2;
    const uint64_t auxiliary[kAuxiliaryWords / 2][2] = {
        {abi::kAuxProgramHeaders, headers},
        {abi::kAuxProgramHeaderSize, sizeof(abi::ElfProgramHeader)},
        {abi::kAuxProgramHeaderCount, image.program_header_count},
        {abi::kAuxPageSize, kPageSize},
        {abi::kAuxBase, interpreter_ ? interpreter_->bias : 0},
        {abi::kAuxFlags, 0},
        {abi::kAuxEntry, image.entry + main_.bias},
        {abi::kAuxUid, process_.uid},
        {abi::kAuxEuid, process_.euid},
        {abi::kAuxGid, process_.gid},
        {abi::kAuxEgid, process_.egid},
        {abi::kAuxPlatform, block + kRandomSize},
        {abi::kAuxHwcap, x86::cpuid(1).edx},
        {abi::kAuxHwcap2, cpu_features.fsgsbase ? kHwcap2FsGsBase : 0},
        {abi::kAuxClockTicks, 100},
        {abi::kAuxSecure, 0},
        {abi::kAuxRandom, block},
        {abi::kAuxExecFn, strings + args_.offset(index)},
        {abi::kAuxMinSigStackSize, 1024 + cpu_features.xsave_size},
        {abi::kAuxNull, 0},
    };
    for (const auto& [key, value] : auxiliary) {
        TRY(put(key));
        TRY(put(value));
    }
    return flush();
}

// Returns the stack pointer that the program starts with.
Result<VirtAddr> Exec::build_stack() {
    VirtAddr strings = kStackTop - sizeof(uint64_t) - args_.bytes();
    VirtAddr block = round_down(strings - kRandomSize - kPlatformSize, 16);
    uint64_t words = argument_count_ + environment_count_ + 3 + kAuxiliaryWords;
    VirtAddr sp = round_down(block - words * sizeof(uint64_t), 16);
    AddressSpace& space = *process_.space;
    space.populate(sp, kStackTop - sp, Access::Write);

    for (uint64_t at = 0; at < args_.bytes();) {
        std::string_view piece = args_.piece(at);
        TRY(copy_to_user(strings + at, piece.data(), piece.size()));
        at += piece.size();
    }
    char bytes[kRandomSize + kPlatformSize];
    random_fill(bytes, kRandomSize);
    memcpy(bytes + kRandomSize, kPlatform, kPlatformSize);
    TRY(copy_to_user(block, bytes, sizeof bytes));
    TRY(write_words(sp, strings, block));

    space.stack_start = sp;
    space.arg_start = strings;
    space.arg_end = space.env_start = strings + args_.offset(argument_count_);
    space.env_end = strings + args_.offset(argument_count_ + environment_count_);
    return sp;
}

void Exec::commit(TrapFrame& frame) {
    replace_space();
    reset_process();
    reset_thread(*current_thread());
    Result<void> cleared = clear_tails(main_);
    if (cleared.ok() && interpreter_) cleared = clear_tails(*interpreter_);
    Result<VirtAddr> sp = build_stack();
    if (!cleared.ok() || !sp.ok()) return begin_exit_group(SIGKILL);
    const LoadedImage& first = interpreter_ ? *interpreter_ : main_;
    constexpr uint64_t kFlagsAtStart = 0x202;  // IF and the bit that is always set
    // RCX differs from RIP, so the way out restores all registers (solutions/3-syscall).
    frame = {};
    frame.vector = kSyscallVector;
    frame.rip = first.image.entry + first.bias;
    frame.cs = USER_CS | 3;
    frame.rflags = kFlagsAtStart;
    frame.rsp = sp.value();
    frame.ss = USER_DS | 3;
    count_event(Event::Execs);
}

Result<void> run(const char* path, ArgSource& source, const ArgumentLists& lists,
                 TrapFrame& frame) {
    Exec exec(path, source);
    TRY(exec.prepare(lists));
    TRY(end_other_threads());
    exec.commit(frame);
    return {};
}

}  // namespace

Result<void> exec_user(VirtAddr path, VirtAddr arguments, VirtAddr environment) {
    PageBuffer buffer = TRY(PageBuffer::create());
    TRY(copy_string_from_user(buffer.data(), path, kMaxPath));
    UserArgs source;
    return run(buffer.data(), source, {arguments, environment}, *current_thread()->user_frame);
}

Result<void> exec_kernel(const char* path, const char* const* arguments,
                         const char* const* environment, TrapFrame& frame) {
    KernelArgs source;
    return run(path, source,
               {reinterpret_cast<uint64_t>(arguments), reinterpret_cast<uint64_t>(environment)},
               frame);
}
