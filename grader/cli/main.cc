// build/bin/mello: parses the command line and calls one of grader/cli/commands.h.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/cli/grading.h"

namespace {

using Kind = MachineSpec::Emulator;

void machine_options(CLI::App& app, RunOptions& options) {
    MachineSpec& machine = options.machine;
    app.add_option("--kernel", machine.kernel, "the kernel image (default: build/mello.elf)");
    app.add_option("--initramfs", machine.initramfs, "the initramfs (default: build/initramfs.cpio)");
    app.add_option("--smp", machine.cpus, "number of CPUs")->check(CLI::Range(1, 16));
    app.add_option("--mem", machine.memory_mib, "MiB of memory");
    app.add_option("--cpu", machine.cpu_model, "QEMU's CPU model");
    app.add_option("--append", machine.kernel_arguments, "the kernel's command line");
    app.add_option("--extra", options.extra, "folder to lay over the initramfs");
    app.add_option("--emu", machine.emulator, "qemu or bochs")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Kind>{{"qemu", Kind::Qemu}, {"bochs", Kind::Bochs}}));
    app.add_option("--clock", machine.clock, "wall or icount")
        ->transform(CLI::CheckedTransformer(std::map<std::string, MachineSpec::Clock>{
            {"wall", MachineSpec::Clock::Wall}, {"icount", MachineSpec::Clock::Icount}}));
    app.add_option("--boot", machine.boot, "pvh, grub or uefi")
        ->transform(CLI::CheckedTransformer(std::map<std::string, MachineSpec::BootPath>{
            {"pvh", MachineSpec::BootPath::Pvh},
            {"grub", MachineSpec::BootPath::Grub},
            {"uefi", MachineSpec::BootPath::Uefi}}));
    app.add_option("--accel", machine.accelerator, "tcg or kvm (when a probe boot works)")
        ->transform(CLI::CheckedTransformer(std::map<std::string, MachineSpec::Accelerator>{
            {"tcg", MachineSpec::Accelerator::Tcg}, {"kvm", MachineSpec::Accelerator::Kvm}}));
}

// Paths on the command line are relative to the caller's folder.
void make_absolute(std::initializer_list<fs::path*> paths) {
    for (fs::path* path : paths) {
        if (!path->empty()) *path = fs::absolute(*path);
    }
}

// Everything else is done from the root of the tree that this program was built in.
void go_to_root() {
    fs::current_path(fs::read_symlink("/proc/self/exe").parent_path() / "../..");
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"MelloOS: runs, grades and checks the kernel"};
    app.require_subcommand(1);
    RunOptions run;
    std::vector<std::string> words;
    CLI::App* run_app = app.add_subcommand("run", "boot headless and run a shell command");
    machine_options(*run_app, run);
    run_app->add_option("--timeout", run.timeout, "seconds");
    run_app->add_option("--record", run.record, "folder that receives all output");
    run_app->add_option("command", words, "the command, after --")->required();
    RunOptions boot;
    CLI::App* boot_app = app.add_subcommand("boot", "boot on this terminal");
    machine_options(*boot_app, boot);
    RunOptions debug;
    CLI::App* debug_app = app.add_subcommand("debug", "boot under gdb");
    machine_options(*debug_app, debug);
    RunOptions rewind;
    std::vector<std::string> rewind_words;
    CLI::App* rewind_app =
        app.add_subcommand("rewind", "record a run, then step through it in both directions");
    machine_options(*rewind_app, rewind);
    rewind_app->add_option("--timeout", rewind.timeout, "seconds, of the recording");
    rewind_app->add_option("--script", rewind.script, "gdb commands to run, then end");
    rewind_app->add_option("command", rewind_words, "the command, after --")->required();

    RunOptions flame;
    std::vector<std::string> flame_words;
    CLI::App* flame_app = app.add_subcommand("flame", "profile a command: an SVG flame graph");
    machine_options(*flame_app, flame);
    flame_app->add_option("--timeout", flame.timeout, "seconds");
    flame_app->add_option("command", flame_words, "the command, after --")->required();
    GradeOptions grading;
    std::vector<std::string> units;
    CLI::App* grade_app = app.add_subcommand("grade", "grade this tree");
    grade_app->add_option("--lab", grading.labs, "labs to grade (default: all)");
    grade_app->add_option("--test", grading.test, "only tests of this name (* and ?)");
    grade_app->add_option("--units", units, "LAB_3=ref, lab or a folder");
    grade_app->add_option("--output", grading.output, "folder for the JSON");
    grade_app->add_option("--seed", grading.seed, "repeat the run with this seed");
    grade_app->add_flag("--starter", grading.starter,
                        "grade the starters; fine when they score low and say where");
    BaselineOptions baselines;
    CLI::App* baseline_app = app.add_subcommand("baseline", "the starters' figures");
    baseline_app->add_option("--lab", baselines.labs, "labs (default: all)");
    baseline_app->add_flag("--verify", baselines.verify, "compare with those that are kept");
    MutantOptions mutants;
    CLI::App* mutants_app = app.add_subcommand("mutants", "planted mistakes must be caught");
    mutants_app->add_option("--lab", mutants.labs, "labs (default: all)");
    mutants_app->add_option("--only", mutants.only, "only mutants of this name (* and ?)");
    mutants_app->add_option("--sample", mutants.sample, "only so many a lab");
    mutants_app->add_option("--seed", mutants.seed, "chooses the sample");
    CheckOptions check;
    CLI::App* check_app = app.add_subcommand("check", "the project's own tests");
    check_app->add_flag("--proof", check.proof, "the long form");
    check_app->add_option("--only", check.only, "only parts of this name (* and ?)");
    check_app->add_option("--seed", check.seed, "chooses starters and mutants");
    CLI11_PARSE(app, argc, argv);

    try {
        run.command = words.size() == 1 ? words[0] : join(words, " ");
        rewind.command = rewind_words.size() == 1 ? rewind_words[0] : join(rewind_words, " ");
        flame.command = flame_words.size() == 1 ? flame_words[0] : join(flame_words, " ");
        for (const std::string& unit : units) {
            size_t equals = unit.find('=');
            if (equals == unit.npos) throw InfraError("--units wants LAB_3=ref, lab or a folder");
            grading.units[unit.substr(0, equals)] = unit.substr(equals + 1);
        }
        for (RunOptions* options : {&run, &boot, &debug, &rewind, &flame}) {
            MachineSpec& machine = options->machine;
            make_absolute({&machine.kernel, &machine.initramfs, &options->extra,
                           &options->record, &options->script});
        }
        make_absolute({&grading.output});
        go_to_root();
        forget_outer_make();
        for (RunOptions* options : {&run, &boot, &debug, &rewind, &flame}) {
            MachineSpec& machine = options->machine;
            if (machine.kernel.empty()) machine.kernel = "build/mello.elf";
            if (machine.initramfs.empty()) machine.initramfs = "build/initramfs.cpio";
        }
        if (*run_app) return run_in_guest(run);
        if (*boot_app) return boot_interactively(boot);
        if (*debug_app) return debug_with_gdb(debug);
        if (*rewind_app) return rewind_run(rewind);
        if (*flame_app) return flame_graph(flame);
        if (*grade_app) return grade(grading);
        if (*baseline_app) return baseline(baselines);
        if (*mutants_app) return check_mutants(mutants);
        return check_project(check);
    } catch (const InfraError& error) {
        fprintf(stderr, "mello: %s\n", error.what());
        return kExitInfra;
    }
}
