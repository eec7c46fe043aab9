// The kernel's table of contents: what is set up, in which order, and why there.
//
// kmain runs on the boot CPU with interrupts off, on the boot stack, entered by lab 1's
// entry.S in long mode. smp_main is the same for every other CPU. Everything that a layer
// needs from one above it is wired here, and nowhere else.

#include "kernel/arch/apic.h"
#include "kernel/arch/smp.h"
#include "kernel/arch/tsc.h"
#include "kernel/base/command_line.h"
#include "kernel/base/memory_check.h"
#include "kernel/base/runtime.h"
#include "kernel/drivers/drivers.h"
#include "kernel/mm/user_access.h"
#include "kernel/prof/proc_files.h"
#include "kernel/prof/sampler.h"
#include "kernel/syscall/syscall.h"
#include "kernel/tty/pty.h"

BootInfo boot_info;

namespace {

// Reads the loader's tables through the boot page tables, which map the first 4 GiB.
const void* read_physical(PhysAddr address, size_t bytes) {
    constexpr PhysAddr kMapped = 4ull << 30;
    if (address >= kMapped || bytes > kMapped - address) return nullptr;
    return phys_to_virt(address);
}

void read_boot_info(uint32_t magic, PhysAddr info) {
    Result<void> parsed = Error(EINVAL);
    if (magic == kMultiboot2Magic) {
        auto* block = static_cast<const uint8_t*>(phys_to_virt(info));
        uint32_t size = *reinterpret_cast<const uint32_t*>(block);
        parsed = parse_multiboot2({block, size}, info, boot_info);
    } else if (magic == kPvhMagic) {
        parsed = parse_pvh(info, read_physical, boot_info);
    }
    if (!parsed.ok()) panic("boot information of loader %#x is not readable", magic);
    log_info("MelloOS, loaded by %s, command line \"%s\"", boot_info.loader,
             boot_info.command_line);
}

void memory_init() {
    MemoryRange ranges[kMaxMemoryRanges];
    size_t count = usable_memory(boot_info, image_to_phys(kernel_start),
                                 image_to_phys(kernel_end), ranges);
    frames_init();
    memory_check_init({ranges, count});
    frame_table_init({ranges, count});
    kernel_space_init();
    frame_table_add_high({ranges, count});
    slab_init();
    log_info("memory: %lu MiB, %lu MiB free", frames_total() >> 8, frames_free() >> 8);
}

// Gives each layer what it needs of those above it.
void wire_layers() {
    scheduler_set_tick_hook(profile_tick);
    set_trap_handler(kVectorNmi, profile_nmi);
}

// What every CPU does for itself; its features, descriptors and APIC are set up.
void cpu_init(Cpu& cpu) {
    syscall_init_cpu();                          // lab 3
    scheduler_init_cpu(cpu, cpu.kernel_rsp);     // lab 4
}

void smp_main() {
    cpu_init(this_cpu());
    idle_loop();
}

void mount(std::string_view path, FileSystem& file_system) {
    Result<void> mounted = vfs_mount(path, file_system);
    if (!mounted.ok())
        log_error("%s: cannot mount (error %d)", path.data(), mounted.error().number());
}

void root_init() {
    FileSystem& root = tmpfs_create("tmpfs");
    vfs_set_root(root);
    if (boot_info.initramfs_start == boot_info.initramfs_end) {
        log_error("no initramfs: the loader gave no module (QEMU: -initrd, GRUB: module2)");
        return;
    }
    auto* archive = static_cast<const uint8_t*>(phys_to_virt(boot_info.initramfs_start));
    size_t size = boot_info.initramfs_end - boot_info.initramfs_start;
    if (!initramfs_unpack({archive, size}, root.root()).ok())
        log_error("initramfs: unpacked in part only");
}

// Process 1's first life: a kernel thread for what may sleep. Then it becomes the init
// program.
void first_thread(void*) {
    root_init();
    FileSystem& devices = devfs_create();
    tty_init();
    mount("/dev", devices);
    mount("/dev/pts", devpts_create());
    mount("/proc", procfs_create());
    log_info("%lu MiB free, starting %s", frames_free() >> 8, kernel_options.init);
    start_init(kernel_options.init);
}

}  // namespace

extern "C" [[noreturn]] void kmain(uint32_t magic, uint32_t info) {
    run_constructors();
    serial_init();                  // lab 1; from here on the log is seen
    log_set_console(console_write_log);
    read_boot_info(magic, info);    // lab 1
    parse_kernel_options(boot_info.command_line);
    log_set_console_level(static_cast<LogLevel>(kernel_options.log_level));
    detect_cpu_features();
    enable_cpu_features();
    descriptors_boot_cpu();         // lab 1; from here on traps are reported
    memory_init();                  // lab 2
    if (kernel_options.screen_console) screen_init(boot_info.framebuffer);

    acpi_init();
    apic_init();
    tsc_calibrate();                // lab 7
    log_set_clock(monotonic_ns);
    apic_timer_calibrate();
    page_copy_init();

    wire_layers();
    shootdown_init();               // lab 4
    cpu_init(cpus[0]);              // labs 3 and 4
    task_init();
    smp_start(kernel_options.max_cpus, smp_main);
    log_info("%u CPUs", cpu_count);

    Result<Thread*> first = thread_create("init", first_thread, nullptr);
    if (!first.ok() || !thread_reaper_start().ok() || !rcu_start().ok())
        panic("no memory for the first threads");
    thread_start(*first.value());
    idle_loop();
}
