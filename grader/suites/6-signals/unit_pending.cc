// Lab 6, pending.cc: sets, masks, and in what order signals leave.
#include <random>
#include <set>

#include "grader/suites/6-signals/target.h"

namespace {

class PendingTest : public testing::Test {
  protected:
    HostCpu cpu_;
    Target target_;
};

TEST_F(PendingTest, ANewThreadHasNothing) {
    EXPECT_EQ(target_.pending(), 0u);
    EXPECT_FALSE(target_.deliverable());
    EXPECT_EQ(target_.take(), 0);
    EXPECT_EQ(signal_mask(target_.thread), 0u);
    EXPECT_FALSE(target_.attention());
    EXPECT_EQ(signal_stack(target_.thread).size, 0u);
}

TEST_F(PendingTest, SignalNIsBitNMinusOne) {
    for (int signal = 1; signal <= kSignalCount; signal++) {
        if (target_.group.actions->ignores(signal)) continue;
        EXPECT_TRUE(target_.post(signal)) << "signal " << signal;
        EXPECT_EQ(target_.pending(), 1ull << (signal - 1)) << "signal " << signal;
        EXPECT_EQ(target_.take(), signal);
        EXPECT_TRUE(target_.post_group(signal)) << "signal " << signal << " to the group";
        EXPECT_EQ(target_.pending(), 1ull << (signal - 1)) << "signal " << signal;
        EXPECT_EQ(target_.take(), signal);
        EXPECT_EQ(target_.pending(), 0u) << "signal " << signal << " was taken and is still there";
    }
}

TEST_F(PendingTest, ASignalIsRememberedOnce) {
    for (int i = 0; i < 5; i++) EXPECT_TRUE(target_.post(SIGUSR1));
    EXPECT_EQ(target_.take(), SIGUSR1);
    EXPECT_EQ(target_.take(), 0);
    for (int i = 0; i < 5; i++) EXPECT_TRUE(target_.post_group(SIGTERM));
    EXPECT_EQ(target_.take(), SIGTERM);
    EXPECT_EQ(target_.take(), 0);
}

TEST_F(PendingTest, TheThreadsOwnAndTheGroupsAreTwoSets) {
    target_.post(SIGUSR1);
    target_.post_group(SIGUSR1);
    EXPECT_EQ(target_.take(), SIGUSR1);
    EXPECT_EQ(target_.pending(), signal_bit(SIGUSR1)) << "one take took both";
    EXPECT_EQ(target_.take(), SIGUSR1);
    EXPECT_EQ(target_.pending(), 0u);
}

TEST_F(PendingTest, AnotherThreadOfTheGroupSeesTheGroupsOnly) {
    Thread other;
    signal_init_thread(other, &target_.thread);
    target_.post(SIGUSR1);
    target_.post_group(SIGUSR2);
    EXPECT_EQ(signal_pending_set(other, target_.group), signal_bit(SIGUSR2));
    EXPECT_EQ(signal_take(other, target_.group, ~0ull), SIGUSR2);
    EXPECT_EQ(signal_take(other, target_.group, ~0ull), 0);
    EXPECT_EQ(target_.pending(), signal_bit(SIGUSR1));
    signal_destroy_thread(other);
}

TEST_F(PendingTest, LowestNumberFirst) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; round++) {
        std::set<int> posted;
        for (int i = 0; i < 10; i++) {
            int signal = 1 + static_cast<int>(random() % 64);
            if ((signal_bit(signal) & kFaultSignals) != 0) continue;
            bool added = random() % 2 == 0 ? target_.post(signal) : target_.post_group(signal);
            if (added) posted.insert(signal);
        }
        std::set<int> taken;
        int last = 0;
        while (int signal = target_.take()) {
            EXPECT_GE(signal, last) << "a lower number comes first";
            last = signal;
            taken.insert(signal);
        }
        ASSERT_EQ(taken, posted);
    }
}

TEST_F(PendingTest, FaultsBeforeAllOthers) {
    for (int fault : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS}) {
        target_.post(SIGHUP);
        target_.post_group(SIGINT);
        target_.post(fault);
        EXPECT_EQ(target_.take(), fault)
            << "the frame of signal " << fault << " must be the one of the faulting instruction";
        EXPECT_EQ(target_.take(), SIGHUP);
        EXPECT_EQ(target_.take(), SIGINT);
    }
}

TEST_F(PendingTest, OnlyWhatIsWantedIsTaken) {
    target_.post(SIGHUP);
    target_.post(64);
    target_.post(SIGSEGV);
    EXPECT_EQ(target_.take(signal_bit(64)), 64);
    EXPECT_EQ(target_.take(signal_bit(SIGINT)), 0);
    EXPECT_EQ(target_.take(~signal_bit(SIGSEGV)), SIGHUP);
    EXPECT_EQ(target_.pending(), signal_bit(SIGSEGV));
}

TEST_F(PendingTest, IgnoredSignalsAreNotAdded) {
    target_.act(SIGUSR1, abi::kSigIgnore);
    for (int signal : {int{SIGUSR1}, int{SIGCHLD}, int{SIGWINCH}, int{SIGURG}}) {
        EXPECT_FALSE(target_.post(signal)) << "signal " << signal;
        EXPECT_FALSE(target_.post_group(signal)) << "signal " << signal;
        EXPECT_EQ(target_.pending(), 0u);
        // sigwait(3) may wait for it, and its action may change until it is let through.
        EXPECT_TRUE(target_.post_group(signal, true)) << "blocked signal " << signal;
        EXPECT_EQ(target_.take(), signal);
        target_.set_mask(signal_bit(signal));
        EXPECT_TRUE(target_.post(signal)) << "blocked signal " << signal;
        EXPECT_EQ(target_.take(), signal);
        target_.set_mask(0);
    }
}

TEST_F(PendingTest, DiscardTakesTheSetAndNoMore) {
    for (int signal : {1, 2, 20, 33, 63, 64}) target_.post(signal);
    target_.post_group(SIGTERM);
    signal_discard(target_.thread, signal_bit(2) | signal_bit(20) | signal_bit(64) |
                                       signal_bit(SIGTERM));
    EXPECT_EQ(target_.pending(),
              signal_bit(1) | signal_bit(33) | signal_bit(63) | signal_bit(SIGTERM))
        << "of the thread's own set, and nothing of the group's";
}

// ---- masks ----

TEST_F(PendingTest, TheMaskHoldsBack) {
    target_.set_mask(signal_bit(SIGUSR1) | signal_bit(64));
    target_.post(SIGUSR1);
    target_.post_group(64);
    EXPECT_FALSE(target_.deliverable());
    EXPECT_EQ(target_.pending(), signal_bit(SIGUSR1) | signal_bit(64));
    target_.post(SIGTERM);
    EXPECT_TRUE(target_.deliverable());
    EXPECT_EQ(target_.take(~signal_mask(target_.thread)), SIGTERM);
    EXPECT_FALSE(target_.deliverable());
}

TEST_F(PendingTest, EachBitOfTheMaskIsItsSignal) {
    for (int signal = 1; signal <= kSignalCount; signal++) {
        if ((signal_bit(signal) & kUnblockable) != 0) continue;
        target_.act(signal, 0x1000);
        target_.post(signal);
        target_.set_mask(signal_bit(signal));
        EXPECT_FALSE(target_.deliverable()) << "signal " << signal << " is blocked";
        target_.set_mask(~signal_bit(signal));
        EXPECT_TRUE(target_.deliverable()) << "signal " << signal << " alone is open";
        EXPECT_EQ(target_.take(), signal);
        target_.set_mask(0);
    }
}

TEST_F(PendingTest, KillAndStopCannotBeBlocked) {
    target_.set_mask(~0ull);
    EXPECT_EQ(signal_mask(target_.thread), ~kUnblockable);
    signal_set_temporary_mask(target_.thread, target_.group, ~0ull);
    EXPECT_EQ(signal_mask(target_.thread), ~kUnblockable);
    target_.post_group(SIGKILL);
    EXPECT_TRUE(target_.deliverable());
}

TEST_F(PendingTest, OpeningTheMaskCallsForAttention) {
    target_.set_mask(signal_bit(SIGUSR1) | signal_bit(SIGUSR2));
    target_.post(SIGUSR1);
    target_.thread.clear_attention(kAttentionSignal);
    target_.set_mask(signal_bit(SIGUSR1));
    EXPECT_FALSE(target_.attention()) << "nothing that is open is pending";
    target_.set_mask(signal_bit(SIGUSR2));
    EXPECT_TRUE(target_.attention()) << "SIGUSR1 is open now, and would wait for the next signal";
    target_.take();
    target_.thread.clear_attention(kAttentionSignal);
    target_.post_group(SIGUSR2);
    target_.set_mask(0);
    EXPECT_TRUE(target_.attention()) << "so it is with the group's";
}

TEST_F(PendingTest, ATemporaryMaskEnds) {
    target_.set_mask(signal_bit(SIGUSR1));
    target_.thread.clear_attention(kAttentionSignal);
    signal_set_temporary_mask(target_.thread, target_.group, signal_bit(SIGTERM));
    EXPECT_EQ(signal_mask(target_.thread), signal_bit(SIGTERM));
    EXPECT_TRUE(target_.attention()) << "signal_deliver must come by to end it";
    signal_restore_mask(target_.thread);
    EXPECT_EQ(signal_mask(target_.thread), signal_bit(SIGUSR1));
    target_.set_mask(signal_bit(SIGINT));
    signal_restore_mask(target_.thread);
    EXPECT_EQ(signal_mask(target_.thread), signal_bit(SIGINT)) << "there was none to end";
}

TEST_F(PendingTest, ACreatorsMaskIsInheritedAndNothingElse) {
    target_.set_mask(signal_bit(SIGUSR1) | signal_bit(SIGTERM));
    target_.post(SIGUSR1);
    signal_stack(target_.thread) = {0x1000, 0, 0, 0x4000};
    signal_set_temporary_mask(target_.thread, target_.group, signal_bit(SIGHUP));
    Thread child;
    SignalGroup its_own;
    signal_init_thread(child, &target_.thread);
    EXPECT_EQ(signal_mask(child), signal_bit(SIGHUP));
    EXPECT_EQ(signal_pending_set(child, its_own), 0u);
    EXPECT_EQ(signal_stack(child).size, 0u);
    signal_restore_mask(child);
    EXPECT_EQ(signal_mask(child), signal_bit(SIGHUP)) << "the temporary mask is the creator's";
    signal_destroy_thread(child);
}

TEST_F(PendingTest, AcceptedIsWhatIsOpenOrAwaited) {
    target_.set_mask(signal_bit(SIGUSR1) | signal_bit(64));
    EXPECT_TRUE(signal_accepts(target_.thread, SIGTERM));
    EXPECT_FALSE(signal_accepts(target_.thread, SIGUSR1));
    signal_await(target_.thread, signal_bit(64));
    EXPECT_TRUE(signal_accepts(target_.thread, 64)) << "rt_sigtimedwait waits for it";
    EXPECT_FALSE(signal_accepts(target_.thread, SIGUSR1));
    EXPECT_FALSE(target_.deliverable());
    signal_await(target_.thread, 0);
    EXPECT_FALSE(signal_accepts(target_.thread, 64));
}

}  // namespace
