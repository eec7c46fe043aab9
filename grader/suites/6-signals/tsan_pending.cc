// Lab 6, pending.cc with several at work: others post while the thread takes, changes its
// mask and looks. TSan sees what is touched without an order.
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "grader/suites/6-signals/target.h"

namespace {

constexpr int kRounds = 6000;

// Each poster owns some signals, posts one of them and waits until it was taken: in vain for
// kPatience, and it was lost.
constexpr int kPosters = 3, kEach = 8, kFirst = 35;
constexpr std::chrono::seconds kPatience{5};

struct Arrivals {
    std::atomic<uint32_t> count[65] = {};
    std::atomic<bool> lost{false};
};

template <typename Post>
void post_all(Arrivals& arrivals, int me, Post post) {
    HostCpu cpu;
    for (int n = 0; n < kRounds && !arrivals.lost; n++) {
        int signal = kFirst + me * kEach + n % kEach;
        uint32_t before = arrivals.count[signal].load();
        post(signal);
        auto limit = std::chrono::steady_clock::now() + kPatience;
        while (arrivals.count[signal].load() == before) {
            std::this_thread::yield();
            if (std::chrono::steady_clock::now() > limit) arrivals.lost = true;
            if (arrivals.lost) return;
        }
    }
}

// `takers`: threads of the process that take; all but one share the group's signals only.
template <typename Post>
void run(Post post, int takers) {
    HostCpu cpu;
    Target target;
    Arrivals arrivals;
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    auto take_all = [&](Thread& thread) {
        while (!stop) {
            if (!signal_deliverable(thread, target.group)) std::this_thread::yield();
            while (int signal = signal_take(thread, target.group, ~signal_mask(thread))) {
                if (signal < kFirst || signal >= kFirst + kPosters * kEach) wrong++;
                arrivals.count[signal]++;
            }
            // The mask is the thread's own; posters read it.
            signal_set_mask(thread, target.group, signal_bit(SIGHUP));
            signal_set_mask(thread, target.group, 0);
        }
    };
    std::vector<std::thread> threads;
    for (int i = 1; i < takers; i++) {
        threads.emplace_back([&] {
            HostCpu own;
            auto thread = std::make_unique<Thread>();
            signal_init_thread(*thread, nullptr);
            take_all(*thread);
            signal_destroy_thread(*thread);
        });
    }
    std::vector<std::thread> posters;
    for (int i = 0; i < kPosters; i++)
        posters.emplace_back([&, i] {
            post_all(arrivals, i, [&](int signal) { post(target, signal); });
        });
    std::thread watcher([&] {
        for (std::thread& poster : posters) poster.join();
        stop = true;
    });
    take_all(target.thread);
    watcher.join();
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(arrivals.lost) << "a signal that was posted never came out: two changes of the "
                                   "set at once, and one was lost";
    EXPECT_EQ(wrong, 0) << "signals that nobody had posted";
    EXPECT_EQ(target.pending(), 0u);
    uint64_t sum = 0;
    for (auto& count : arrivals.count) sum += count;
    EXPECT_EQ(sum, static_cast<uint64_t>(kPosters) * kRounds) << "signals taken twice, or lost";
}

TEST(PendingRace, PostsToAThread) {
    run([](Target& target, int signal) { EXPECT_TRUE(target.post(signal)); }, 1);
}

TEST(PendingRace, PostsToAGroupOfThreeThreads) {
    run([](Target& target, int signal) { EXPECT_TRUE(target.post_group(signal)); }, 3);
}

TEST(PendingRace, DiscardLeavesTheOthersAlone) {
    run(
        [](Target& target, int signal) {
            EXPECT_TRUE(target.post(signal));
            signal_discard(target.thread, signal_bit(SIGTSTP) | signal_bit(SIGTTIN));
        },
        1);
}

}  // namespace
