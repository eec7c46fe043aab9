// Latency histograms: how often each duration occurred, in buckets whose width grows with
// the value, so that 64 bits fit in a few hundred counters and a percentile is off by an
// eighth at most. Lab 7's histogram.cc.
//
// A Histogram has one writer: keep one a CPU and merge them to read. Percentiles come from
// the merged counts; percentiles of single CPUs cannot be averaged.
#pragma once
#include <cstdint>

inline constexpr uint32_t kHistogramSubBits = 3;  // 8 buckets for each power of two
// Exact buckets for 0..7, then 8 for each of 2^3 .. 2^63.
inline constexpr uint32_t kHistogramBuckets = (64 - kHistogramSubBits + 1)
                                              << kHistogramSubBits;

struct Histogram {
    uint64_t counts[kHistogramBuckets] = {};
    uint64_t sum = 0;  // may wrap
};

// ---- Lab 7, histogram.cc ----

// The bucket that `value` belongs to: log-linear, monotonic, all buckets used.
uint32_t histogram_bucket(uint64_t value);
// The least and the greatest value of a bucket. bucket < kHistogramBuckets.
uint64_t histogram_bucket_low(uint32_t bucket);
uint64_t histogram_bucket_high(uint32_t bucket);
// Counts one value. Any context that cannot move to another CPU; a dozen instructions.
void histogram_add(Histogram& histogram, uint64_t value);
// Adds the counts and the sum of `from`, which may be counting meanwhile.
void histogram_merge(Histogram& into, const Histogram& from);
// How many values were counted.
uint64_t histogram_count(const Histogram& histogram);
// The value that `per_mille` thousandths of the values do not exceed (0: the least, 500: the
// median, 1000: the greatest), rounded up to its bucket's greatest value. 0 when nothing was
// counted.
uint64_t histogram_percentile(const Histogram& histogram, uint32_t per_mille);
