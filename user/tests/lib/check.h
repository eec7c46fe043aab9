// Checks with a name. Each prints one line on standard output, with one write(2):
//
//   ok NAME
//   FAIL NAME: expected E, got G (user/tests/x.cc:12)
//
// and a failure is also reported to the grader as `fail`, with the same text. A program ends
// with `return check_summary("program")`: a line of counts, `checks` and `failures` reported,
// exit status 1 when something failed.
//
// The counts belong to the process: a forked child tells its parent by exit status (child.h).
#pragma once
#include <errno.h>
#include <stddef.h>

#include <source_location>

using Where = std::source_location;

// Every name that follows is printed as GROUP.name; null for none. The string is kept.
void check_group(const char* group);

// All return whether the check held, so that a test can stop early.
bool check(const char* name, bool held, Where where = Where::current());
bool check_equal(const char* name, long expected, long got, Where where = Where::current());
// A call that returns -1 and sets errno to `error`, nothing else.
bool check_fails(const char* name, int error, long got, Where where = Where::current());
// A call that may return anything but -1.
bool check_works(const char* name, long got, Where where = Where::current());
bool check_bytes(const char* name, const void* expected, const void* got, size_t size,
                 Where where = Where::current());
bool check_text(const char* name, const char* expected, const char* got,
                Where where = Where::current());

// A failure in the tester's own words.
[[gnu::format(printf, 3, 4)]] void check_failed(const char* name, Where where,
                                                const char* format, ...);
void check_passed(const char* name);

// Only failures are printed from now on (for loops of thousands).
void check_quietly(bool quiet);

struct CheckCounts {
    unsigned checks, failures;
};
CheckCounts check_counts();
void check_add(CheckCounts counts);
// The name of the latest check: where a test stands that hangs.
const char* check_latest();

int check_summary(const char* program);

// "ENOENT" for the numbers that the tests meet, else "errno N".
const char* error_name(int error);
// "SIGSEGV" for the standard signals, else "signal N".
const char* signal_name(int signal);
