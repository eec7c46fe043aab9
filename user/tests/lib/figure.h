// Measuring in the guest: ticks of the time-stamp counter, and what many of them amount to.
//
// Under QEMU's icount and in Bochs one tick is one instruction, so figures are exact and the
// same in every run; elsewhere they are the host's time. Nothing here asks the kernel for the
// time: the kernel is what is measured.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Ticks now. The fences keep work of before and after on its side.
[[gnu::always_inline]] inline uint64_t ticks() {
    uint32_t low, high;
    asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
    return (static_cast<uint64_t>(high) << 32) | low;
}

// Sorts the values in place.
void sort_values(uint64_t* values, size_t count);

// The middle value (the lower of two); sorts in place. `count` is at least 1.
uint64_t median_of(uint64_t* values, size_t count);

// What is reported of a series: all over `per` operations each, in hundredths of a tick per
// operation, so that 60.25 instructions do not become 60.
struct Figure {
    uint64_t median, smallest, largest, p95, deviation;
};
// `values`: ticks of each repetition of `per` operations. Sorts them in place.
Figure figure_of(uint64_t* values, size_t count, uint64_t per);

// One line on the grader's channel: NAME median min max p95 deviation repetitions, the first
// five with two decimals.
void report_figure(const char* name, const Figure& figure, size_t count);

// Keeps this thread on one CPU; false when there is no such CPU.
bool pin_to_cpu(unsigned cpu);

// CPUs that this process may use, at least 1.
unsigned cpu_count();
