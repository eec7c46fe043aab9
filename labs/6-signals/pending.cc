// Lab 6: pending sets and masks.
//
// The starter keeps a thread's pending signals as an array of flags under a spin lock, and
// answers every question by asking for one signal after the other. It works; but each look
// at "is anything deliverable?", which every sleeping system call has, costs 64 times a
// lock, and who posts a signal waits for whoever looks.
//
// The order that prevents a lost signal: a poster sets the pending bit first and the
// thread's attention afterwards (notify_attention); the thread clears its attention first
// and looks at the set afterwards.
//
// Handout: handouts/6-signals.md. Contracts: kernel/signal/signal.h.
#include "kernel/signal/signal.h"

namespace {

struct SignalState {
    SpinLock lock{LockRank::Signal};
    bool pending[kSignalCount] GUARDED_BY(lock) = {};  // of signal n at n - 1
    std::atomic<SignalSet> mask{0};     // written by the thread itself, read by posters
    std::atomic<SignalSet> awaited{0};  // the same
    SignalSet saved_mask = 0;        // while has_saved_mask
    bool has_saved_mask = false;
    SignalStack stack;
};

SignalState& state_of(const Thread& thread) {
    return const_cast<Thread&>(thread).signal_lab.get<SignalState>();
}

bool in_set(SignalSet set, int signal) { return (set & signal_bit(signal)) != 0; }

bool is_pending(const Thread& thread, const SignalGroup& group, int signal) {
    SignalState& state = state_of(thread);
    SpinGuard guard(state.lock);
    return state.pending[signal - 1] || in_set(group.pending.load(), signal);
}

// Takes the signal out of the thread's set, or else the group's, if it is in one of them.
bool take_one(Thread& thread, SignalGroup& group, int signal) {
    SignalState& state = state_of(thread);
    SpinGuard guard(state.lock);
    if (std::exchange(state.pending[signal - 1], false)) return true;
    return in_set(group.pending.fetch_and(~signal_bit(signal)), signal);
}

}  // namespace

void signal_init_thread(Thread& thread, const Thread* creator) {
    SignalState& state = thread.signal_lab.construct<SignalState>();
    if (creator != nullptr) state.mask.store(signal_mask(*creator));
}

void signal_destroy_thread(Thread& thread) { thread.signal_lab.destroy<SignalState>(); }

SignalSet signal_mask(const Thread& thread) { return state_of(thread).mask.load(); }

void signal_set_mask(Thread& thread, const SignalGroup& group, SignalSet mask) {
    state_of(thread).mask.store(mask & ~kUnblockable);
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
    state.mask.store(state.saved_mask);
}

SignalStack& signal_stack(Thread& thread) { return state_of(thread).stack; }

bool signal_post_thread(Thread& thread, SignalGroup& group, int signal) {
    if (group.actions->ignores(signal) && !in_set(signal_mask(thread), signal)) return false;
    SignalState& state = state_of(thread);
    SpinGuard guard(state.lock);
    state.pending[signal - 1] = true;
    return true;
}

bool signal_post_group(SignalGroup& group, int signal, bool blocked) {
    if (group.actions->ignores(signal) && !blocked) return false;
    group.pending.fetch_or(signal_bit(signal));
    return true;
}

void signal_await(Thread& thread, SignalSet set) { state_of(thread).awaited.store(set); }

bool signal_accepts(const Thread& thread, int signal) {
    SignalSet awaited = state_of(thread).awaited.load();
    return in_set(~signal_mask(thread) | awaited, signal);
}

void signal_discard(Thread& thread, SignalSet set) {
    SignalState& state = state_of(thread);
    SpinGuard guard(state.lock);
    for (int signal = 1; signal <= kSignalCount; signal++) {
        if (in_set(set, signal)) state.pending[signal - 1] = false;
    }
}

SignalSet signal_pending_set(const Thread& thread, const SignalGroup& group) {
    SignalSet set = 0;
    for (int signal = 1; signal <= kSignalCount; signal++) {
        if (is_pending(thread, group, signal)) set |= signal_bit(signal);
    }
    return set;
}

bool signal_deliverable(const Thread& thread, const SignalGroup& group) {
    for (int signal = 1; signal <= kSignalCount; signal++) {
        if (is_pending(thread, group, signal) && !in_set(signal_mask(thread), signal)) return true;
    }
    return false;
}

int signal_take(Thread& thread, SignalGroup& group, SignalSet wanted) {
    for (SignalSet set : {wanted & kFaultSignals, wanted & ~kFaultSignals}) {
        for (int signal = 1; signal <= kSignalCount; signal++) {
            if (in_set(set, signal) && take_one(thread, group, signal)) return signal;
        }
    }
    return 0;
}
