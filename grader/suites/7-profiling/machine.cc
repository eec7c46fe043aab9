#include "grader/suites/7-profiling/machine.h"

#include <cstring>

#include "kernel/arch/panic.h"
#include "kernel/arch/x86.h"
#include "kernel/drivers/drivers.h"

Cpu cpus[kMaxCpus];
uint32_t cpu_count;
bool (*user_memory)(VirtAddr);

// ---- What tsc.cc asks when it calibrates: never called on the host ----

CpuFeatures cpu_features;
void pit_start() {}
uint16_t pit_read() { return 0; }
bool pit_expired() { return true; }

// ---- What sampler.cc asks ----

std::span<const Symbol> kernel_symbols() {
    static constexpr Symbol kTable[] = {
        {kAlpha, "alpha"}, {kBeta, "beta"}, {kGamma, "gamma(int)"}, {kGamma + 1, nullptr}};
    return kTable;
}

bool is_kernel_stack(VirtAddr frame) { return frame > 0x10000; }

bool sampler_user_word(VirtAddr address, uint64_t& word) {
    if (user_memory == nullptr || address % 8 != 0 || !user_memory(address)) return false;
    memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
    return true;
}

// ---- For the tests ----

std::vector<std::string> take_samples() {
    TextString out;
    sampler_format(out);
    std::vector<std::string> lines;
    for (size_t at = 0, end; at < out.text.size(); at = end + 1) {
        end = out.text.find('\n', at);
        if (end == std::string::npos) end = out.text.size();
        lines.push_back(out.text.substr(at, end - at));
    }
    return lines;
}

FakeStack::FakeStack(const std::vector<VirtAddr>& returns) : words_(2 * returns.size() + 2) {
    for (size_t i = 0; i < returns.size(); i++) {
        bool last = i + 1 == returns.size();
        words_[2 * i] = last ? 0 : reinterpret_cast<uint64_t>(&words_[2 * i + 2]);
        words_[2 * i + 1] = returns[i];
    }
}

FakeMachine::FakeMachine(uint32_t count) {
    cpu_count = count;
    for (uint32_t i = 0; i < kMaxCpus; i++) {
        cpus[i].self = &cpus[i];
        cpus[i].id = i;
        cpus[i].idle = cpus[i].current = &idle_[i];
    }
    user_memory = nullptr;
    be(0, nullptr);
}

FakeMachine::~FakeMachine() {
    (void)sampler_set(false);
    take_samples();
}

void FakeMachine::be(uint32_t index, Thread* thread) {
    host_cpu = &cpus[index];
    host_cpu->current = thread != nullptr ? thread : host_cpu->idle;
}

Ticked::Ticked(const char* name, bool program) {
    strncpy(thread.name, name, sizeof thread.name - 1);
    thread.user_frame = &user;
    // Nobody looks into it.
    if (program) thread.process = reinterpret_cast<Process*>(&thread);
    user.cs = 3;
}

void Ticked::tick_in_user(VirtAddr rip, VirtAddr rbp) {
    TrapFrame frame{};
    frame.cs = 3;
    frame.rip = rip;
    frame.rbp = rbp;
    sampler_tick(frame);
}

void Ticked::tick_in_kernel(VirtAddr rip, VirtAddr rbp) {
    TrapFrame frame{};
    frame.rip = rip;
    frame.rbp = rbp;
    sampler_tick(frame);
}
