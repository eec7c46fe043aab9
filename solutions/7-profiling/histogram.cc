// Lab 7: log-linear histograms. Contracts: kernel/metrics/histogram.h.
//
// A value v >= 8 with its highest bit at position n belongs to group n - 2, and within it to
// the bucket that the next three bits name. Below 8 every value has its own bucket (group
// 0), which also takes care of 0, whose logarithm nobody must ask for. The groups join
// without a gap: 7 is the last of group 0, 8 the first of group 1.
#include "kernel/metrics/histogram.h"

#include <algorithm>
#include <bit>

namespace {
constexpr uint32_t kSubBuckets = 1u << kHistogramSubBits;

// 64-bit loads are atomic: the writer of another CPU may be at work.
uint64_t read_counter(const uint64_t& counter) {
    return __atomic_load_n(&counter, __ATOMIC_RELAXED);
}
}  // namespace

uint32_t histogram_bucket(uint64_t value) {
    if (value < kSubBuckets) return static_cast<uint32_t>(value);
    uint32_t shift = std::bit_width(value) - 1 - kHistogramSubBits;
    uint32_t sub = static_cast<uint32_t>(value >> shift) & (kSubBuckets - 1);
    return ((shift + 1) << kHistogramSubBits) + sub;
}

uint64_t histogram_bucket_low(uint32_t bucket) {
    if (bucket < kSubBuckets) return bucket;
    uint32_t shift = (bucket >> kHistogramSubBits) - 1;
    uint64_t leading = kSubBuckets + (bucket & (kSubBuckets - 1));
    return leading << shift;
}

uint64_t histogram_bucket_high(uint32_t bucket) {
    if (bucket + 1 == kHistogramBuckets) return ~0ull;
    return histogram_bucket_low(bucket + 1) - 1;
}

void histogram_add(Histogram& histogram, uint64_t value) {
    ++histogram.counts[histogram_bucket(value)];
    ++histogram.count;
    histogram.sum += value;
    histogram.max = std::max(histogram.max, value);
}

// The total is what the buckets say, so that it agrees with them whatever the writer does.
void histogram_merge(Histogram& into, const Histogram& from) {
    for (uint32_t i = 0; i < kHistogramBuckets; ++i) {
        uint64_t counted = read_counter(from.counts[i]);
        into.counts[i] += counted;
        into.count += counted;
    }
    into.sum += read_counter(from.sum);
    into.max = std::max(into.max, read_counter(from.max));
}

uint64_t histogram_percentile(const Histogram& histogram, uint32_t per_mille) {
    if (histogram.count == 0) return 0;
    // The rank of the wanted value, counted from 1 and rounded up; in parts, because count
    // times 1000 may overflow.
    uint64_t rank = histogram.count / 1000 * per_mille +
                    (histogram.count % 1000 * per_mille + 999) / 1000;
    rank = std::clamp<uint64_t>(rank, 1, histogram.count);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < kHistogramBuckets; ++i) {
        seen += histogram.counts[i];
        if (seen >= rank) return std::min(histogram_bucket_high(i), histogram.max);
    }
    return histogram.max;
}
