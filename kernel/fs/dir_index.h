// DirIndex: the entries of one directory, found by name and listed in a stable order. The
// functions are lab 7's dir_index.cc.
//
// Entries belong to the file system (tmpfs allocates and frees them); the index only
// links them. The caller holds the directory's Mutex. No hardware: tested on the host.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernel/base/lab_state.h"
#include "kernel/base/list.h"
#include "kernel/base/types.h"

class Inode;

struct DirEntry {
    Inode* inode = nullptr;
    // Where getdents64 goes on: set by dir_index_insert, rising with each insertion,
    // never used twice. At least kFirstPosition: 0 and 1 are "." and "..".
    uint64_t position = 0;
    uint16_t length = 0;       // of the name
    uint32_t hash = 0;         // for the unit
    DirEntry* next = nullptr;  // for the unit
    ListLink link;             // for the unit
    char name[];               // `length` bytes and a NUL

    std::string_view text() const { return {name, length}; }
};

struct DirIndex {
    static constexpr uint64_t kFirstPosition = 2;
    LabState<64, 16> lab;
};

// ---- Lab 7, dir_index.cc ----

void dir_index_init(DirIndex& index);
// The index is empty.
void dir_index_destroy(DirIndex& index);
// The entry of that name, or nullptr.
DirEntry* dir_index_find(DirIndex& index, std::string_view name);
// Adds an entry whose name is not there yet. ENOMEM: nothing changed.
Result<void> dir_index_insert(DirIndex& index, DirEntry& entry);
// Takes out an entry that is in this index.
void dir_index_remove(DirIndex& index, DirEntry& entry);
// The entry with the smallest position that is at least `position`, or nullptr. So a
// listing that goes on at (last position + 1) sees each entry that was there all the time
// exactly once, whatever came and went meanwhile (POSIX readdir).
DirEntry* dir_index_next(DirIndex& index, uint64_t position);
