// A process with threads that signals are sent to, on the host.
#pragma once
// GoogleTest includes <cxxabi.h>, which takes the name `abi` for itself.
#define abi cxxabi
#include <gtest/gtest.h>
#undef abi

#include <memory>

#include "kernel/mm/slab.h"
#include "kernel/signal/signal.h"

// What a host thread that posts or takes signals runs on: a spin lock turns interrupts off.
struct HostCpu {
    Cpu cpu{};
    HostCpu();
    ~HostCpu() { host_cpu = nullptr; }
};

class Target {
  public:
    Target() {
        group.actions.reset(make<SignalActions>().value());
        signal_init_thread(thread, nullptr);
    }
    ~Target() { signal_destroy_thread(thread); }
    void act(int signal, uint64_t handler) {
        abi::SigAction action = {};
        action.handler = handler;
        group.actions->set(signal, action);
    }
    bool post(int signal) { return signal_post_thread(thread, group, signal); }
    bool post_group(int signal, bool blocked = false) {
        return signal_post_group(group, signal, blocked);
    }
    int take(SignalSet wanted = ~0ull) { return signal_take(thread, group, wanted); }
    SignalSet pending() { return signal_pending_set(thread, group); }
    bool deliverable() { return signal_deliverable(thread, group); }
    void set_mask(SignalSet mask) { signal_set_mask(thread, group, mask); }
    bool attention() { return (thread.attention.load() & kAttentionSignal) != 0; }

    Thread thread;
    SignalGroup group;
};
