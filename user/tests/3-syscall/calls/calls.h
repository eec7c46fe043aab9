// What the parts of the program `calls` share.
#pragma once
#include "user/tests/3-syscall/calls/probe.h"
#include "user/tests/lib/check.h"
#include "user/tests/lib/report.h"

// Makes the call with all other registers and the flags chosen by `random`; checks that every
// register but RAX is as it should be, as checks called `name`; returns RAX.
uint64_t probed_call(const char* name, Sequence& random, uint64_t number, uint64_t a = 0,
                     uint64_t b = 0, uint64_t c = 0, uint64_t d = 0,
                     Where where = Where::current());

inline uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

int storm();  // storm.cc
int watch();  // watch.cc
