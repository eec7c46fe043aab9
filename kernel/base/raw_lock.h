// RawLock: a spin lock below everything else, for the log and the serial ports. It knows
// nothing of ranks or CPUs, disables interrupts while held, and gives way in two cases where
// waiting would never end: in a panic (the holder may have been stopped), and when an NMI
// handler has interrupted the holder. Two writers then mix their text; better than silence.
#pragma once
#include <atomic>
#include <cstdint>

class RawLock {
  public:
    // From now on no RawLock is waited for (panic).
    static void bypass_all() { bypass_.store(true, std::memory_order_relaxed); }

    // Returns what unlock needs.
    uint64_t lock() {
        uint64_t flags;
        asm volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
        // Seconds at the least; a holder writes some lines at most.
        for (uint64_t spins = 0; spins < (1u << 30); spins++) {
            if (bypass_.load(std::memory_order_relaxed)) break;
            if (!locked_.exchange(true, std::memory_order_acquire)) break;
            while (locked_.load(std::memory_order_relaxed) && ++spins < (1u << 30))
                asm volatile("pause");
        }
        return flags;
    }
    void unlock(uint64_t flags) {
        locked_.store(false, std::memory_order_release);
        constexpr uint64_t kInterruptFlag = 1 << 9;
        if (flags & kInterruptFlag) asm volatile("sti" : : : "memory");
    }

  private:
    static inline std::atomic<bool> bypass_{false};
    std::atomic<bool> locked_{false};
};

class RawGuard {
  public:
    explicit RawGuard(RawLock& lock) : lock_(lock), flags_(lock.lock()) {}
    ~RawGuard() { lock_.unlock(flags_); }
    RawGuard(const RawGuard&) = delete;

  private:
    RawLock& lock_;
    uint64_t flags_;
};
