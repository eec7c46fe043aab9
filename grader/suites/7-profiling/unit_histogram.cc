// Lab 7, histogram.cc: edges of buckets, and percentiles against the sorted values.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "kernel/metrics/histogram.h"

namespace {

constexpr uint64_t kMost = ~0ull;

TEST(Buckets, SmallValuesHaveTheirOwn) {
    for (uint64_t value = 0; value < 8; value++) {
        EXPECT_EQ(histogram_bucket(value), value) << "0 has no logarithm";
        EXPECT_EQ(histogram_bucket_low(value), value);
        EXPECT_EQ(histogram_bucket_high(value), value);
    }
}

// The last value of each bucket and the first of the next.
TEST(Buckets, JoinWithoutGapOrOverlap) {
    EXPECT_EQ(histogram_bucket_low(0), 0u);
    for (uint32_t bucket = 0; bucket + 1 < kHistogramBuckets; bucket++) {
        uint64_t high = histogram_bucket_high(bucket);
        ASSERT_EQ(high + 1, histogram_bucket_low(bucket + 1)) << "bucket " << bucket;
        ASSERT_EQ(histogram_bucket(high), bucket) << "value " << high;
        ASSERT_EQ(histogram_bucket(high + 1), bucket + 1) << "value " << high + 1;
    }
    EXPECT_EQ(histogram_bucket_high(kHistogramBuckets - 1), kMost);
    EXPECT_EQ(histogram_bucket(kMost), kHistogramBuckets - 1);
}

TEST(Buckets, AreAnEighthWide) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; i++) {
        uint64_t value = random() >> (i % 61);
        uint32_t bucket = histogram_bucket(value);
        ASSERT_LT(bucket, kHistogramBuckets) << value;
        uint64_t low = histogram_bucket_low(bucket), high = histogram_bucket_high(bucket);
        ASSERT_TRUE(low <= value && value <= high)
            << value << " is not in its bucket, " << low << ".." << high;
        ASSERT_LE(high - low, low / 8) << "bucket of " << value;
    }
}

class HistogramTest : public testing::Test {
  protected:
    void add(Histogram& histogram, uint64_t value) {
        histogram_add(histogram, value);
        values_.push_back(value);
    }
    // By the definition: the smallest value that so many thousandths do not exceed.
    uint64_t exact(uint32_t per_mille) {
        std::sort(values_.begin(), values_.end());
        size_t rank = (values_.size() * per_mille + 999) / 1000;
        return values_[std::max<size_t>(rank, 1) - 1];
    }
    void expect_percentiles(const Histogram& histogram) {
        for (uint32_t per_mille : {0, 1, 250, 500, 900, 950, 990, 999, 1000}) {
            uint64_t wanted = exact(per_mille);
            EXPECT_EQ(histogram_percentile(histogram, per_mille),
                      histogram_bucket_high(histogram_bucket(wanted)))
                << per_mille << " per mille of " << values_.size() << " values: " << wanted;
        }
    }

    std::unique_ptr<Histogram> histogram_ = std::make_unique<Histogram>();
    std::vector<uint64_t> values_;
};

TEST_F(HistogramTest, IsEmptyAtFirst) {
    EXPECT_EQ(histogram_count(*histogram_), 0u);
    for (uint32_t per_mille : {0, 500, 1000})
        EXPECT_EQ(histogram_percentile(*histogram_, per_mille), 0u);
}

TEST_F(HistogramTest, CountsAndSums) {
    std::mt19937_64 random(2);
    uint64_t sum = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = random() >> (20 + i % 40);
        histogram_add(*histogram_, value);
        sum += value;
    }
    EXPECT_EQ(histogram_count(*histogram_), 1000u);
    EXPECT_EQ(histogram_->sum, sum);
}

TEST_F(HistogramTest, CountsTheExtremes) {
    for (uint64_t value : {uint64_t{0}, kMost, uint64_t{1} << 63}) histogram_add(*histogram_, value);
    EXPECT_EQ(histogram_->counts[0], 1u);
    EXPECT_EQ(histogram_->counts[kHistogramBuckets - 1], 1u);
    EXPECT_EQ(histogram_count(*histogram_), 3u);
    EXPECT_EQ(histogram_percentile(*histogram_, 1000), kMost);
}

TEST_F(HistogramTest, OneValueIsEveryPercentile) {
    add(*histogram_, 1234);
    expect_percentiles(*histogram_);
}

TEST_F(HistogramTest, FindsPercentiles) {
    std::mt19937_64 random(3);
    for (int count : {2, 3, 9, 10, 99, 100, 1000, 12345}) {
        *histogram_ = {};
        values_.clear();
        for (int i = 0; i < count; i++) add(*histogram_, random() >> (30 + i % 30));
        expect_percentiles(*histogram_);
    }
}

// A fast CPU with many values and a slow one with few: no average of the two tells this.
TEST_F(HistogramTest, MergesCountsNotPercentiles) {
    auto fast = std::make_unique<Histogram>(), slow = std::make_unique<Histogram>();
    for (int i = 0; i < 9'000; i++) add(*fast, 100 + i % 20);
    for (int i = 0; i < 900; i++) add(*slow, 100 + i % 20);
    for (int i = 0; i < 100; i++) add(*slow, 1'000'000 + i);
    histogram_merge(*histogram_, *fast);
    histogram_merge(*histogram_, *slow);
    EXPECT_EQ(histogram_count(*histogram_), 10'000u);
    EXPECT_EQ(histogram_->sum, fast->sum + slow->sum);
    expect_percentiles(*histogram_);
}

// So many that thousandths of them do not fit in 64 bits.
TEST_F(HistogramTest, SurvivesHugeCounts) {
    histogram_->counts[histogram_bucket(10)] = 1ull << 61;
    histogram_->counts[histogram_bucket(1000)] = 1ull << 61;
    EXPECT_EQ(histogram_count(*histogram_), 1ull << 62);
    EXPECT_EQ(histogram_percentile(*histogram_, 499), 10u);
    EXPECT_EQ(histogram_percentile(*histogram_, 501),
              histogram_bucket_high(histogram_bucket(1000)));
}

}  // namespace
