// The profiler at work: on programs whose hot spots the host chose, on sleepers, on stacks that
// lie, and what it costs.
//
// Host data: `hot_left` and `hot_right`, ms that hot() is computed on behalf of left() and of
// right(); `other_ms`; `copy_ms` of large reads; `sleep_ms`; `flood_ms` without a reader.
// Reported (samples): `hot TOTAL LEFT RIGHT OTHER STRANGE` by user functions, `copy TOTAL NAMED
// COPYING` of the reads by kernel functions and `copy_leaf NAME`, `idle TAKEN` of the sleep,
// `drops TAKEN DROPPED LINES` of the flood, `lies TAKEN` with wild frame pointers, `cost OFF ON
// TAKEN`: ticks of the same work.
#include <sys/wait.h>
#include <time.h>

#include "user/tests/7-profiling/proc.h"

namespace {

const char kProfile[] = "/proc/profile";

bool start() { return check("sampling.on", switch_file(kProfile, true)); }
bool stop() { return check("sampling.off", switch_file(kProfile, false)); }

// ---- The program that is looked at: functions in this order, so that each ends at the next ----

uint64_t sink;

// It calls nobody, so it would have no frame of its own, and its caller's would be missed.
[[gnu::noinline, gnu::no_reorder]] void hot(uint64_t count) {
    asm volatile("" : : "r"(__builtin_frame_address(0)));
    for (uint64_t from = ticks(); ticks() - from < count;)
        for (int i = 0; i < 100; i++) sink = sink * 31 + 7;
}
// What follows the call keeps it from becoming a jump, which would leave no frame.
[[gnu::noinline, gnu::no_reorder]] void left(uint64_t count) {
    hot(count);
    sink++;
}
[[gnu::noinline, gnu::no_reorder]] void right(uint64_t count) {
    hot(count);
    sink += 2;
}
[[gnu::noinline, gnu::no_reorder]] void other(uint64_t count) {
    for (uint64_t from = ticks(); ticks() - from < count;)
        for (int i = 0; i < 100; i++) sink = sink * 37 + 5;
}
[[gnu::noinline, gnu::no_reorder]] void functions_end() { sink++; }

bool between(uint64_t address, void (*from)(uint64_t), const void* to) {
    return address >= reinterpret_cast<uint64_t>(from) && address < reinterpret_cast<uint64_t>(to);
}

// One line of the profile: its frames as text, outermost first.
struct Stack {
    explicit Stack(char* line) {
        char* space = strrchr(line, ' ');
        if (space == nullptr) return;
        times = strtoul(space + 1, nullptr, 10);
        *space = '\0';
        char* rest = line;
        for (char* word; (word = strsep(&rest, ";")) != nullptr && depth < 60;)
            frames[depth++] = word;
    }
    uint64_t address(size_t i) const {
        return i < depth && strncmp(frames[i], "0x", 2) == 0 ? strtoul(frames[i], nullptr, 16) : 0;
    }
    bool is(const char* name) const { return depth > 0 && strcmp(frames[0], name) == 0; }
    const char* leaf() const { return depth > 1 ? frames[depth - 1] : "?"; }

    char* frames[60];
    size_t depth = 0;
    unsigned long times = 0;
};

// Calls visit(stack) for each line of the profile.
template <typename Visit>
void for_each_stack(Visit visit) {
    char* rest = read_file(kProfile, 1);
    for (char* line; (line = strsep(&rest, "\n")) != nullptr && *line != '\0';)
        visit(Stack(line));
}

void profile_functions() {
    uint64_t left_ticks = host_number("hot_left", 100) * kTicksAMillisecond;
    uint64_t right_ticks = host_number("hot_right", 50) * kTicksAMillisecond;
    start();
    left(left_ticks);
    right(right_ticks);
    other(host_number("other_ms", 30) * kTicksAMillisecond);
    stop();
    const auto* hot_end = reinterpret_cast<const void*>(left);
    const auto* left_end = reinterpret_cast<const void*>(right);
    const auto* right_end = reinterpret_cast<const void*>(other);
    const auto* other_end = reinterpret_cast<const void*>(functions_end);
    unsigned long total = 0, lefts = 0, rights = 0, others = 0, strange = 0;
    for_each_stack([&](const Stack& stack) {
        if (!stack.is("sampling")) return;
        // Only our own time: the kernel's is another test's.
        size_t last = stack.depth - 1;
        uint64_t leaf = stack.address(last), caller = stack.address(last - 1);
        if (leaf == 0) return;
        total += stack.times;
        if (between(leaf, hot, hot_end) && between(caller, left, left_end)) lefts += stack.times;
        else if (between(leaf, hot, hot_end) && between(caller, right, right_end))
            rights += stack.times;
        else if (between(leaf, other, other_end)) others += stack.times;
        else strange += stack.times;
    });
    report("hot", "%lu %lu %lu %lu %lu", total, lefts, rights, others, strange);
}

void profile_copies() {
    static char buffer[65536];
    int zero = open("/dev/zero", O_RDONLY), ends[2];
    if (zero < 0 || pipe(ends) != 0) _exit(102);
    uint64_t wanted = host_number("copy_ms", 100) * kTicksAMillisecond;
    start();
    for (uint64_t from = ticks(); ticks() - from < wanted;)
        if (write(ends[1], buffer, 32768) != 32768 || read(ends[0], buffer, 32768) != 32768) break;
    stop();
    unsigned long total = 0, named = 0, copying = 0;
    char name[120] = "";
    for_each_stack([&](const Stack& stack) {
        if (!stack.is("sampling")) return;
        total += stack.times;
        bool unknown = false;
        for (size_t i = 1; i < stack.depth; i++) unknown |= strcmp(stack.frames[i], "?") == 0;
        named += unknown ? 0 : stack.times;
        if (strstr(stack.leaf(), "copy") == nullptr) return;
        copying += stack.times;
        snprintf(name, sizeof name, "%s", stack.leaf());
    });
    report("copy", "%lu %lu %lu", total, named, copying);
    report("copy_leaf", "%s", name);
}

void profile_sleep() {
    uint64_t ms = host_number("sleep_ms", 200);
    timespec pause = {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
    start();
    long before = metric("samples_total");
    nanosleep(&pause, nullptr);
    long after = metric("samples_total");
    stop();
    report("idle", "%ld", after - before);
    for_each_stack([](const Stack&) {});
}

void flood() {
    start();
    other(host_number("flood_ms", 3000) * kTicksAMillisecond);
    stop();
    unsigned long lines = 0;
    for_each_stack([&](const Stack& stack) { lines += stack.times; });
    report("drops", "%ld %ld %lu", metric("samples_total"), metric("samples_dropped_total"), lines);
}

// Computes for 20 ms with `rbp` in RBP.
void spin_with(uint64_t rbp) {
    uint64_t count = 10 * kTicksAMillisecond;  // two instructions each
    asm volatile(
        "xchg %[rbp], %%rbp\n"
        "1: dec %[count]\n"
        "jnz 1b\n"
        "xchg %[rbp], %%rbp\n"
        : [rbp] "+r"(rbp), [count] "+r"(count)
        :
        : "memory", "cc");
}

void lie() {
    alignas(16) static uint64_t frames[6];
    auto at = [](size_t i) { return reinterpret_cast<uint64_t>(&frames[i]); };
    const uint64_t lies[] = {0, 1, 8, at(0) + 3, ~0ull, ~7ull, 0xffffffff80000000, 0xffff800000001000,
                             0x7ffffffff000, 0x10000, 0x8000000000000000};
    start();
    for (uint64_t rbp : lies) spin_with(rbp);
    frames[0] = at(0);  // to itself
    spin_with(at(0));
    frames[0] = at(2), frames[2] = at(0);  // in a circle
    spin_with(at(0));
    frames[0] = at(2), frames[2] = 0xffffffff80000000;  // into the kernel
    spin_with(at(0));
    stop();
    unsigned long taken = 0, deep = 0;
    for_each_stack([&](const Stack& stack) {
        if (!stack.is("sampling")) return;
        taken += stack.times;
        deep += stack.depth > 40;
    });
    check_equal("sampling.deep", 0, static_cast<long>(deep));
    report("lies", "%lu", taken);
}

[[gnu::noinline]] uint64_t fixed_work() {
    uint64_t from = ticks(), value = sink;
    for (int i = 0; i < 30'000'000; i++) asm volatile("" : "+r"(value));
    sink = value;
    return ticks() - from;
}

void measure_cost() {
    fixed_work();
    uint64_t off = fixed_work();
    start();
    uint64_t on = fixed_work();
    stop();
    long taken = metric("samples_total");
    report("cost", "%lu %lu %ld", off, on, taken);
    for_each_stack([](const Stack&) {});
}

}  // namespace

int main() {
    profile_functions();
    profile_copies();
    profile_sleep();
    flood();
    lie();
    measure_cost();
    return check_summary("sampling");
}
