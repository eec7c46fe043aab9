// Lab 6: pending sets and masks.
//
// A pending set is one atomic word, so posting is a single OR that works from any context,
// and "is anything deliverable?" is two loads and a mask: no loop over 64 signals. A set
// remembers a signal once however often it is posted (POSIX XSH 2.4.1 allows that for all
// but the real-time ones, which we treat alike).
//
// The order that prevents a lost signal: a poster sets the pending bit first and the
// thread's attention afterwards (notify_attention); the thread clears its attention first
// and looks at the set afterwards.
//
// Handout: handouts/6-signals.md. Contracts: kernel/signal/signal.h.
#include <bit>

#include "kernel/signal/signal.h"

namespace {

struct SignalState {
    std::atomic<SignalSet> pending{0};
    std::atomic<SignalSet> mask{0};     // written by the thread itself, read by posters
    std::atomic<SignalSet> awaited{0};  // the same
    SignalSet saved_mask = 0;        // while has_saved_mask
    bool has_saved_mask = false;
    SignalStack stack;
};

SignalState& state_of(const Thread& thread) {
    return const_cast<Thread&>(thread).signal_lab.get<SignalState>();
}

}  // namespace

void signal_init_thread(Thread& thread, const Thread* creator) {
    SignalState& state = thread.signal_lab.construct<SignalState>();
    if (creator != nullptr) state.mask.store(signal_mask(*creator), std::memory_order_relaxed);
}

void signal_destroy_thread(Thread& thread) { thread.signal_lab.destroy<SignalState>(); }

SignalSet signal_mask(const Thread& thread) {
    return state_of(thread).mask.load(std::memory_order_relaxed);
}

void signal_set_mask(Thread& thread, const SignalGroup& group, SignalSet mask) {
    state_of(thread).mask.store(mask & ~kUnblockable, std::memory_order_seq_cst);
    if (signal_deliverable(thread, group)) thread.set_attention(kAttentionSignal);
}

void signal_set_temporary_mask(Thread& thread, const SignalGroup& group, SignalSet mask) {
    SignalState& state = state_of(thread);
    state.saved_mask = signal_mask(thread);
    state.has_saved_mask = true;
    signal_set_mask(thread, group, mask);
    thread.set_attention(kAttentionSignal);  // so that signal_deliver ends it in any case
}

void signal_restore_mask(Thread& thread) {
    SignalState& state = state_of(thread);
    if (!state.has_saved_mask) return;
    state.has_saved_mask = false;
    state.mask.store(state.saved_mask, std::memory_order_relaxed);
}

SignalStack& signal_stack(Thread& thread) { return state_of(thread).stack; }

bool signal_post_thread(Thread& thread, SignalGroup& group, int signal) {
    bool blocked = (signal_mask(thread) & signal_bit(signal)) != 0;
    if (group.actions->ignores(signal) && !blocked) return false;
    state_of(thread).pending.fetch_or(signal_bit(signal), std::memory_order_seq_cst);
    return true;
}

bool signal_post_group(SignalGroup& group, int signal, bool blocked) {
    if (group.actions->ignores(signal) && !blocked) return false;
    group.pending.fetch_or(signal_bit(signal), std::memory_order_seq_cst);
    return true;
}

void signal_await(Thread& thread, SignalSet set) {
    state_of(thread).awaited.store(set, std::memory_order_seq_cst);
}

bool signal_accepts(const Thread& thread, int signal) {
    SignalSet awaited = state_of(thread).awaited.load(std::memory_order_relaxed);
    return ((~signal_mask(thread) | awaited) & signal_bit(signal)) != 0;
}

void signal_discard(Thread& thread, SignalSet set) {
    state_of(thread).pending.fetch_and(~set, std::memory_order_relaxed);
}

SignalSet signal_pending_set(const Thread& thread, const SignalGroup& group) {
    return state_of(thread).pending.load(std::memory_order_acquire) |
           group.pending.load(std::memory_order_acquire);
}

bool signal_deliverable(const Thread& thread, const SignalGroup& group) {
    return (signal_pending_set(thread, group) & ~signal_mask(thread)) != 0;
}

int signal_take(Thread& thread, SignalGroup& group, SignalSet wanted) {
    SignalState& state = state_of(thread);
    for (;;) {
        SignalSet ready = signal_pending_set(thread, group) & wanted;
        if (ready == 0) return 0;
        if ((ready & kFaultSignals) != 0) ready &= kFaultSignals;
        int signal = std::countr_zero(ready) + 1;
        SignalSet bit = signal_bit(signal);
        if ((state.pending.fetch_and(~bit, std::memory_order_acq_rel) & bit) != 0)
            return signal;
        // The group's signals are anybody's: another thread may have been faster.
        if ((group.pending.fetch_and(~bit, std::memory_order_acq_rel) & bit) != 0)
            return signal;
    }
}
