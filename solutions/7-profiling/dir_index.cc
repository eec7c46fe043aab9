// Lab 7: the index of a directory, which the profiler shows as the hot spot and the lab
// makes quick (handouts/7-profiling.md).
//
// Contract (kernel/fs/dir_index.h): find by name, list in the order of positions,
// positions rise with each insertion and are never used twice. The caller holds the
// directory's Mutex.
//
// Two structures over the same entries: a hash table for find, chained through `next`,
// and a list in the order of insertion, which is the order of positions, for next. The
// table starts inside the index and grows fourfold when there are more entries than
// buckets, so most directories allocate nothing and a large one costs amortized constant
// time. The list's cursor remembers where the last listing stood: going on is one step,
// not a walk from the start. Growing is best effort: without memory the chains get longer
// and all stays right.
#include "kernel/fs/dir_index.h"

#include <cstring>

#include "kernel/mm/slab.h"

namespace {

constexpr uint32_t kInlineBuckets = 2;
constexpr uint32_t kGrowth = 4;

struct State {
    List<DirEntry, &DirEntry::link> order;  // by position
    DirEntry* cursor = nullptr;             // where the last listing stood, or nullptr
    uint64_t next_position = DirIndex::kFirstPosition;
    DirEntry** buckets = inline_buckets;
    uint32_t bucket_count = kInlineBuckets;  // a power of two
    uint32_t count = 0;
    DirEntry* inline_buckets[kInlineBuckets] = {};
};

State& state(DirIndex& index) { return index.lab.get<State>(); }

// Eight bytes a step, the rest in one; multiplied so that all bits reach the upper half.
uint32_t hash_of(std::string_view name) {
    constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio, odd
    const char* text = name.data();
    size_t left = name.size();
    uint64_t hash = left, word;
    for (; left >= 8; left -= 8, text += 8) {
        memcpy(&word, text, 8);
        hash = (hash ^ word) * kMultiplier;
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < left; i++)
        word = word << 8 | static_cast<unsigned char>(text[i]);
    hash = (hash ^ word) * kMultiplier;
    return static_cast<uint32_t>(hash >> 32);
}

DirEntry*& bucket_of(State& s, uint32_t hash) {
    return s.buckets[hash & (s.bucket_count - 1)];
}

void add_to_bucket(State& s, DirEntry& entry) {
    DirEntry*& bucket = bucket_of(s, entry.hash);
    entry.next = bucket;
    bucket = &entry;
}

void free_buckets(State& s) {
    if (s.buckets != s.inline_buckets)
        kfree(s.buckets, s.bucket_count * sizeof(DirEntry*));
}

void grow(State& s) {
    uint32_t count = s.bucket_count * kGrowth;
    auto** buckets = static_cast<DirEntry**>(kzalloc(count * sizeof(DirEntry*)));
    if (buckets == nullptr) return;
    free_buckets(s);
    s.buckets = buckets;
    s.bucket_count = count;
    for (DirEntry& entry : s.order) add_to_bucket(s, entry);
}

}  // namespace

void dir_index_init(DirIndex& index) { index.lab.construct<State>(); }

void dir_index_destroy(DirIndex& index) {
    State& s = state(index);
    ASSERT(s.count == 0);
    free_buckets(s);
    index.lab.destroy<State>();
}

DirEntry* dir_index_find(DirIndex& index, std::string_view name) {
    uint32_t hash = hash_of(name);
    for (DirEntry* entry = bucket_of(state(index), hash); entry != nullptr;
         entry = entry->next)
        if (entry->hash == hash && entry->length == name.size() &&
            memcmp(entry->name, name.data(), name.size()) == 0)
            return entry;
    return nullptr;
}

Result<void> dir_index_insert(DirIndex& index, DirEntry& entry) {
    State& s = state(index);
    if (s.count >= s.bucket_count) grow(s);
    entry.hash = hash_of(entry.text());
    entry.position = s.next_position++;
    add_to_bucket(s, entry);
    s.order.push_back(&entry);
    s.count++;
    return {};
}

void dir_index_remove(DirIndex& index, DirEntry& entry) {
    State& s = state(index);
    DirEntry** at = &bucket_of(s, entry.hash);
    while (*at != &entry) at = &(*at)->next;
    *at = entry.next;
    if (s.cursor == &entry) s.cursor = s.order.prev(&entry);
    s.order.remove(&entry);
    s.count--;
}

DirEntry* dir_index_next(DirIndex& index, uint64_t position) {
    State& s = state(index);
    bool before = s.cursor != nullptr && s.cursor->position <= position;
    DirEntry* entry = before ? s.cursor : s.order.front();
    while (entry != nullptr && entry->position < position) entry = s.order.next(entry);
    if (entry != nullptr) s.cursor = entry;
    return entry;
}
