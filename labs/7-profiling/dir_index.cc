// Lab 7: the index of a directory, which the profiler shows as the hot spot and the lab
// makes quick (handouts/7-profiling.md).
//
// Contract (kernel/fs/dir_index.h): find by name, list in the order of positions,
// positions rise with each insertion and are never used twice. The caller holds the
// directory's Mutex.
//
// This starter works: the entries are one list in the order of their positions, and
// finding a name is listing the directory until it comes. Look at a profile of `ls -l` in
// a directory of a thousand files before you change anything, and ask how often one
// lookup walks the list. Make find take the same time in a large directory as in a small
// one, and a listing that goes on take no walk from the start, with positions as stable
// as they are here. `hash`, `next` and `link` of DirEntry are yours, and so is the state
// below.
#include "kernel/fs/dir_index.h"

#include "kernel/base/log.h"

namespace {

struct State {
    DirEntry* first = nullptr;  // chained through DirEntry::next, by position
    uint64_t next_position = DirIndex::kFirstPosition;
};

State& state(DirIndex& index) { return index.lab.get<State>(); }

}  // namespace

void dir_index_init(DirIndex& index) { index.lab.construct<State>(); }

void dir_index_destroy(DirIndex& index) {
    ASSERT(state(index).first == nullptr);
    index.lab.destroy<State>();
}

DirEntry* dir_index_find(DirIndex& index, std::string_view name) {
    uint64_t position = 0;
    while (DirEntry* entry = dir_index_next(index, position)) {
        if (entry->text() == name) return entry;
        position = entry->position + 1;
    }
    return nullptr;
}

Result<void> dir_index_insert(DirIndex& index, DirEntry& entry) {
    DirEntry** at = &state(index).first;
    while (*at != nullptr) at = &(*at)->next;
    *at = &entry;
    entry.next = nullptr;
    entry.position = state(index).next_position++;
    return {};
}

void dir_index_remove(DirIndex& index, DirEntry& entry) {
    DirEntry** at = &state(index).first;
    while (*at != &entry) at = &(*at)->next;
    *at = entry.next;
}

DirEntry* dir_index_next(DirIndex& index, uint64_t position) {
    DirEntry* entry = state(index).first;
    while (entry != nullptr && entry->position < position) entry = entry->next;
    return entry;
}
