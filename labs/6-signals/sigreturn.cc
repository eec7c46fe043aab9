// Lab 6: the way back from a handler.
//
// No handler runs in the starter, so no program has a signal frame to return from: a call
// of rt_sigreturn is a mistake and says so.
//
// Handout: handouts/6-signals.md. Contract: kernel/signal/signal.h.
#include "kernel/signal/signal.h"

Result<uint64_t> signal_return(Thread&, TrapFrame&) { return Error(ENOSYS); }
