// Setting up the task layer, and process 1.
#include "kernel/arch/features.h"
#include "kernel/arch/traps.h"
#include "kernel/arch/x86.h"
#include "kernel/base/log.h"
#include "kernel/base/random.h"
#include "kernel/mm/slab.h"
#include "kernel/task/clock.h"
#include "kernel/task/fault.h"
#include "kernel/task/process_private.h"

namespace {

void seed_random() {
    uint64_t words[6] = {x86::rdtsc(), realtime_ns(), 0, 0, 0, 0};
    if (cpu_features.rdrand) {
        // Ten tries are enough (Intel SDM vol. 1, 7.3.17); a chip that fails gives zeros.
        for (int i = 2; i < 6; i++) {
            bool ok = false;
            for (int tries = 0; tries < 10 && !ok; tries++)
                asm volatile("rdrand %0" : "=r"(words[i]), "=@ccc"(ok));
        }
    }
    random_seed(words);
}

void set_default_limits(Process& process) {
    for (rlimit& limit : process.limits) limit = {RLIM_INFINITY, RLIM_INFINITY};
    process.limits[RLIMIT_STACK] = {8 * 1024 * 1024, RLIM_INFINITY};
    process.limits[RLIMIT_NOFILE] = {FdTable::kMaxDescriptors, FdTable::kMaxDescriptors};
}

// Descriptors 0, 1 and 2 on the console, which init would miss for its first words.
void open_console(Process& process) {
    WalkContext context = {vfs_root(), vfs_root()};
    Result<File*> console = vfs_open(context, "/dev/console", O_RDWR, 0);
    if (!console.ok()) {
        log_warning("init has no /dev/console: errno %d", console.error().number());
        return;
    }
    FileRef file(console.value());
    for (int fd = 0; fd < 3; fd++) (void)process.files->add(new_ref(file.get()), false);
}

// Makes the calling kernel thread the first thread of a new process 1.
Result<void> become_process(Thread& thread) {
    Process* process = TRY(make<Process>());
    process->signals.actions = TRY(SignalActions::create());
    process->files = TRY(FdTable::create());
    process->working_directory = vfs_root();
    process->working_directory->ref();
    set_default_limits(*process);
    TRY(thread_add_fpu(thread));
    signal_init_thread(thread, nullptr);
    MutexGuard tree(process_tree);
    thread.tid = process->pid = allocate_tid();
    ASSERT(process->pid == 1);
    thread.process = process;
    link_process(*process, nullptr);
    return link_thread(*process, thread);
}

}  // namespace

void start_init(const char* path) {
    Thread& thread = *current_thread();
    Result<void> result = become_process(thread);
    if (result.ok()) {
        open_console(*thread.process);
        result = exec_init(path);
    }
    if (!result.ok())
        panic("cannot run %s: errno %d (is the initramfs there, with this program and its "
              "interpreter?)", path, result.error().number());
    x86::cli();
    user_return_work(thread.user_frame);
    trap_return(thread.user_frame);
}

void task_init() {
    fault_init();
    clock_init();
    seed_random();
}
