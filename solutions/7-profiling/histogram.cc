// Lab 7: log-linear histograms. Contracts: kernel/metrics/histogram.h.
//
// A value v >= 8 with its highest bit at position n belongs to group n - 2, and within it to
// the bucket that the next three bits name. Below 8 every value has its own bucket (group
// 0), which also takes care of 0, whose logarithm nobody must ask for. The groups join
// without a gap: 7 is the last of group 0, 8 the first of group 1.
//
// Both cases are one formula. With shift = n - 3, the value shifted down is 8 + sub, and the
// bucket 8 * (shift + 1) + sub; that is the value shifted down, plus 8 * shift. For a small
// value, n = 3 gives itself.
#include "kernel/metrics/histogram.h"

#include <algorithm>
#include <bit>

namespace {
constexpr uint32_t kSubBuckets = 1u << kHistogramSubBits;

// 64-bit loads are atomic: the writer of another CPU may be at work.
uint64_t read_counter(const uint64_t& counter) {
    return __atomic_load_n(&counter, __ATOMIC_RELAXED);
}

// One writer, so the bus need not be locked; but one instruction, so that no interrupt of this
// CPU that counts, too, comes in between.
void add_to(uint64_t& counter, uint64_t n) {
    asm("addq %1, %0" : "+m"(counter) : "er"(n) : "cc");
}
}  // namespace

uint32_t histogram_bucket(uint64_t value) {
    uint32_t shift = std::bit_width(value | kSubBuckets) - 1 - kHistogramSubBits;
    return (shift << kHistogramSubBits) + static_cast<uint32_t>(value >> shift);
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

// Without a frame of its own: that would be a quarter of its instructions.
[[gnu::optimize("omit-frame-pointer")]] void histogram_add(Histogram& histogram, uint64_t value) {
    add_to(histogram.sum, value);  // first: then the value may be shifted where it is
    add_to(histogram.counts[histogram_bucket(value)], 1);
}

void histogram_merge(Histogram& into, const Histogram& from) {
    for (uint32_t i = 0; i < kHistogramBuckets; ++i)
        into.counts[i] += read_counter(from.counts[i]);
    into.sum += read_counter(from.sum);
}

uint64_t histogram_count(const Histogram& histogram) {
    uint64_t count = 0;
    for (uint64_t counted : histogram.counts) count += counted;
    return count;
}

uint64_t histogram_percentile(const Histogram& histogram, uint32_t per_mille) {
    uint64_t count = histogram_count(histogram);
    if (count == 0) return 0;
    // The rank of the wanted value, counted from 1 and rounded up; in parts, because count
    // times 1000 may overflow.
    uint64_t rank = count / 1000 * per_mille + (count % 1000 * per_mille + 999) / 1000;
    rank = std::clamp<uint64_t>(rank, 1, count);
    uint32_t bucket = 0;
    for (uint64_t seen = histogram.counts[0]; seen < rank; seen += histogram.counts[bucket])
        bucket++;
    return histogram_bucket_high(bucket);
}
