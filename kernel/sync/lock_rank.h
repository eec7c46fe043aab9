// The order in which locks are taken, in one place: lock_ranks.def lists them.
//
// A CPU that holds a spin lock of rank r may only take spin locks of a rank greater than r;
// of equal rank only at a higher address, which for run queues means in CPU order, since
// all Cpu structs lie in one array. A thread that holds a Mutex may take Mutexes of greater
// rank and any spin lock; no Mutex is taken, and schedule() not called, while a spin lock is
// held. Debug builds check this at every acquisition and panic with both ranks
// (kernel/sync/lock_rank.cc); release builds compile the check away.
#pragma once
#include <cstdint>

enum class LockRank : uint32_t {
#define LOCK_RANK(name) name,
#include "kernel/sync/lock_ranks.def"
#undef LOCK_RANK
};
const char* lock_rank_name(LockRank rank);

// May the caller sleep here? Panics, naming `what`, when it holds a spin lock or runs in an
// interrupt handler. Debug builds only.
#if MELLO_DEBUG
void check_may_sleep(const char* what);
#else
inline void check_may_sleep(const char*) {}
#endif
