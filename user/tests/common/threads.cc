// Threads as the C libraries make them: clone, TLS, futex behind mutexes and condition
// variables, join. Linked once against musl and once against glibc, which start, park and end
// threads in different ways; both must come to the same, known results on any number of CPUs.
//
//   threads-musl [rounds]      default 2000; exit 0 when every result is right
//
// Four pieces of work, each by 8 threads:
//   counter   one mutex, one counter: a lost update shows in the sum
//   queue     4 producers, 4 consumers, a ring of 16 slots, two condition variables: every item
//             passes exactly once, checked by count, sum and sum of squares
//   relay     a token goes round by broadcast: thread i may only step when turn % 8 == i
//   private   thread-local variables and stacks keep to themselves; join hands results back
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>

#include "user/tests/lib/check.h"
#include "user/tests/lib/report.h"

namespace {

constexpr int kThreads = 8;
unsigned long rounds = 2000;

template <typename Argument>
void run_all(const char* name, void* (*body)(void*), Argument* arguments, void** results) {
    pthread_t threads[kThreads];
    int started = 0;
    for (; started < kThreads; started++) {
        if (pthread_create(&threads[started], nullptr, body, &arguments[started]) != 0) break;
    }
    if (started != kThreads) {
        check_failed(name, Where::current(), "expected %d threads, got %d", kThreads, started);
        exit(check_summary("threads"));
    }
    for (int i = 0; i < kThreads; i++) pthread_join(threads[i], &results[i]);
}

// --- counter ---------------------------------------------------------------------------------

pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;
unsigned long guarded_counter = 0;
std::atomic<unsigned long> atomic_counter = 0;

void* count(void*) {
    for (unsigned long i = 0; i < rounds; i++) {
        pthread_mutex_lock(&counter_lock);
        unsigned long seen = guarded_counter;
        if (i % 64 == 0) sched_yield();  // the others run into the lock
        guarded_counter = seen + 1;
        pthread_mutex_unlock(&counter_lock);
        atomic_counter.fetch_add(1, std::memory_order_relaxed);
    }
    return nullptr;
}

void test_counter() {
    int unused[kThreads] = {};
    void* results[kThreads];
    run_all("counter", count, unused, results);
    check_equal("counter.mutex", kThreads * rounds, guarded_counter);
    check_equal("counter.atomic", kThreads * rounds, atomic_counter);
}

// --- queue -----------------------------------------------------------------------------------

class Queue {
  public:
    void put(uint64_t item) {
        pthread_mutex_lock(&lock_);
        while (filled_ == kSlots) pthread_cond_wait(&not_full_, &lock_);
        slots_[(first_ + filled_++) % kSlots] = item;
        pthread_cond_signal(&not_empty_);
        pthread_mutex_unlock(&lock_);
    }
    // False when the queue is closed and empty.
    bool take(uint64_t* item) {
        pthread_mutex_lock(&lock_);
        while (filled_ == 0 && !closed_) pthread_cond_wait(&not_empty_, &lock_);
        bool any = filled_ > 0;
        if (any) {
            *item = slots_[first_];
            first_ = (first_ + 1) % kSlots;
            filled_--;
            pthread_cond_signal(&not_full_);
        }
        pthread_mutex_unlock(&lock_);
        return any;
    }
    void close() {
        pthread_mutex_lock(&lock_);
        closed_ = true;
        pthread_cond_broadcast(&not_empty_);
        pthread_mutex_unlock(&lock_);
    }

  private:
    static constexpr unsigned kSlots = 16;
    pthread_mutex_t lock_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t not_empty_ = PTHREAD_COND_INITIALIZER;
    pthread_cond_t not_full_ = PTHREAD_COND_INITIALIZER;
    uint64_t slots_[kSlots] = {};
    unsigned first_ = 0, filled_ = 0;
    bool closed_ = false;
};

Queue queue;
std::atomic<int> producers_left = kThreads / 2;

struct Worker {
    unsigned index = 0;
    uint64_t items = 0, sum = 0, squares = 0;
    void add(uint64_t item) { items++, sum += item, squares += item * item; }
};

void* produce_or_consume(void* argument) {
    auto* me = static_cast<Worker*>(argument);
    if (me->index % 2 == 0) {
        Sequence items(me->index);
        for (unsigned long i = 0; i < rounds; i++) {
            uint64_t item = items.next();
            queue.put(item);
            me->add(item);
        }
        if (--producers_left == 0) queue.close();
    } else {
        uint64_t item;
        while (queue.take(&item)) me->add(item);
    }
    return nullptr;
}

void test_queue() {
    Worker workers[kThreads];
    for (unsigned i = 0; i < kThreads; i++) workers[i].index = i;
    void* results[kThreads];
    run_all("queue", produce_or_consume, workers, results);
    Worker total[2];
    for (const Worker& worker : workers) {
        Worker& side = total[worker.index % 2];
        side.items += worker.items;
        side.sum += worker.sum;
        side.squares += worker.squares;
    }
    check_equal("queue.items", total[0].items, total[1].items);
    check_equal("queue.sum", total[0].sum, total[1].sum);
    check_equal("queue.squares", total[0].squares, total[1].squares);
    report("queue", "%llx", static_cast<unsigned long long>(total[1].squares));
}

// --- relay -----------------------------------------------------------------------------------

pthread_mutex_t relay_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t relay_moved = PTHREAD_COND_INITIALIZER;
unsigned long turn = 0;
uint64_t relay_hash = kHashStart;

void* relay(void* argument) {
    unsigned index = *static_cast<unsigned*>(argument);
    for (unsigned long i = 0; i < rounds / 8; i++) {
        pthread_mutex_lock(&relay_lock);
        while (turn % kThreads != index) pthread_cond_wait(&relay_moved, &relay_lock);
        relay_hash = hash_bytes(&index, sizeof index, relay_hash);
        turn++;
        pthread_cond_broadcast(&relay_moved);
        pthread_mutex_unlock(&relay_lock);
    }
    return nullptr;
}

void test_relay() {
    unsigned indexes[kThreads];
    uint64_t expected = kHashStart;
    for (unsigned i = 0; i < kThreads; i++) indexes[i] = i;
    for (unsigned long i = 0; i < rounds / 8 * kThreads; i++) {
        expected = hash_bytes(&indexes[i % kThreads], sizeof indexes[0], expected);
    }
    void* results[kThreads];
    run_all("relay", relay, indexes, results);
    check_equal("relay.turns", rounds / 8 * kThreads, turn);
    check_equal("relay.order", expected, relay_hash);
}

// --- private ---------------------------------------------------------------------------------

thread_local uint64_t mine = 42;
thread_local uint64_t mine_zeroed[32];

void* keep_private(void* argument) {
    unsigned index = *static_cast<unsigned*>(argument);
    uint64_t wrong = mine != 42;
    uint64_t stack_words[512];
    for (uint64_t& word : stack_words) word = index;
    for (uint64_t& word : mine_zeroed) wrong += word != 0, word = index;
    mine = index;
    for (unsigned long i = 0; i < rounds / 4; i++) {
        if (i % 16 == 0) sched_yield();
        wrong += mine != index + i;
        mine++;
        for (uint64_t word : mine_zeroed) wrong += word != index;
        for (uint64_t word : stack_words) wrong += word != index;
        asm volatile("" ::: "memory");
    }
    return reinterpret_cast<void*>(wrong * 1000 + index);
}

void test_private() {
    unsigned indexes[kThreads];
    for (unsigned i = 0; i < kThreads; i++) indexes[i] = i;
    void* results[kThreads];
    run_all("private", keep_private, indexes, results);
    for (unsigned i = 0; i < kThreads; i++) {
        check_equal("private.kept", i, reinterpret_cast<long>(results[i]));
    }
    check_equal("private.main_thread", 42, mine);
}

// Threads that come and go: stacks and ids must be given back.
void* add_one(void* argument) {
    static_cast<std::atomic<unsigned>*>(argument)->fetch_add(1);
    return nullptr;
}

void test_many_lives() {
    std::atomic<unsigned> lives = 0;
    unsigned wanted = rounds / 10, failed = 0;
    for (unsigned i = 0; i < wanted; i++) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, add_one, &lives) != 0) {
            failed++;
            continue;
        }
        pthread_join(thread, nullptr);
    }
    check_equal("lives.failed_starts", 0, failed);
    check_equal("lives.ran", wanted, lives);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) rounds = strtoul(argv[1], nullptr, 0) / 8 * 8;
    if (rounds == 0) rounds = 8;
    test_counter();
    test_queue();
    test_relay();
    test_private();
    test_many_lives();
    return check_summary("threads");
}
