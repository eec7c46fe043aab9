// The order in which locks are taken, in one place.
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
    // Mutexes (sleep)
    FileOffset = 1,   // an open file's offset, over a whole transfer, whatever that takes
    ProcessTree,      // parents, children, groups, sessions
    Rename,           // one rename of a directory at a time
    Directory,        // an inode that is a directory; parent before child
    Inode,            // any other inode, its pages and size; two in address order
    Pipe,             // a pipe's ring and ends
    Terminal,         // line discipline of a terminal
    FdTable,          // a process's descriptors
    AddressSpace,     // regions and page tables of a process
    // Spin locks
    Process = 32,     // small fields of a process
    Futex,            // a futex bucket
    Signal,           // actions and pending signals
    Mount,            // the mount list
    FileState,        // an open file's flags, epoll-like lists
    SpaceList,        // all address spaces
    WaitQueue,        // a wait queue's entries
    Timer,            // a CPU's timers
    RunQueue,         // a CPU's run queue; two only in CPU order
    PageSource,       // the pages of a file, looked up by a fault
    KernelSpace,      // the kernel's own page map and vmap area
    Slab,             // a slab cache's lists
    FrameZone,        // the shared frame list behind the per-CPU caches
    Serial,           // a UART
    Screen,           // text or framebuffer console
    Log,              // the kernel log ring: taken by anyone, takes none
};
const char* lock_rank_name(LockRank rank);

// May the caller sleep here? Panics, naming `what`, when it holds a spin lock or runs in an
// interrupt handler. Debug builds only.
#if MELLO_DEBUG
void check_may_sleep(const char* what);
#else
inline void check_may_sleep(const char*) {}
#endif
