// Lab 2, fault.cc and clone.cc: pages on demand, copy on write, fork. The machine: machine.h.
#include <cstring>

#include "grader/suites/2-paging/machine.h"
#include "kernel/mm/slab.h"

namespace {

constexpr VirtAddr kBase = 0x10000000;
constexpr uint8_t kRead = kProtRead, kReadWrite = kProtRead | kProtWrite;

// A file of `count` pages; page i is filled with 'a' + i.
class FakeFile final : public PageSource {
  public:
    explicit FakeFile(size_t count) {
        for (size_t i = 0; i < count; ++i) {
            pages.push_back(frame_alloc().value());
            memset(frame_data(pages.back()), 'a' + static_cast<int>(i), kPageSize);
        }
    }
    ~FakeFile() {
        EXPECT_EQ(references, 0);
        for (Frame* page : pages) {
            EXPECT_EQ(page->references.load(), 1u) << "of a page of the file";
            frame_unref(page);
        }
    }
    Result<Frame*> get_page(uint64_t index) override {
        if (index >= pages.size()) return Error(ENXIO);
        frame_ref(pages[index]);
        return pages[index];
    }
    Frame* find_page(uint64_t index) override {
        return around && index < pages.size() ? get_page(index).value() : nullptr;
    }
    void source_ref() override { ++references; }
    void source_unref() override { --references; }

    std::vector<Frame*> pages;
    bool around = false;
    int references = 0;
};

class Faults : public host::MachineTest {
  protected:
    void SetUp() override {
        MachineTest::SetUp();
        parent = AddressSpace::create().value();
    }
    void TearDown() override {
        if (parent != nullptr) parent->unref();
        if (child != nullptr) child->unref();
        MachineTest::TearDown();
    }
    VirtAddr map(size_t pages, uint8_t protection, PageSource* source = nullptr,
                 uint32_t kind = MAP_PRIVATE, uint64_t offset = 0) {
        return parent
            ->map(kBase, pages * kPageSize, protection, kind | MAP_FIXED, source, offset)
            .value();
    }
    static FaultError fault(AddressSpace* space, VirtAddr address, Access access) {
        return space->handle_fault(address, access);
    }
    void fork() { child = parent->clone().value(); }

    // What a program does: faults until the access works, then reads or writes.
    static char* access(AddressSpace* space, VirtAddr address, Access how) {
        for (int tries = 0; tries < 3; ++tries) {
            auto found = page_map_translate(space->page_map, address);
            if (found && (found->entry & pte::kUser) != 0 &&
                (how != Access::Write || (found->entry & pte::kWrite) != 0))
                return static_cast<char*>(phys_to_virt(found->address));
            if (fault(space, address, how) != FaultError::None) return nullptr;
        }
        ADD_FAILURE() << "the fault is resolved, but faults again";
        return nullptr;
    }
    static char read(AddressSpace* space, VirtAddr address) {
        char* byte = access(space, address, Access::Read);
        return byte == nullptr ? '!' : *byte;
    }
    static bool write(AddressSpace* space, VirtAddr address, char value) {
        char* byte = access(space, address, Access::Write);
        if (byte == nullptr) return false;
        *byte = value;
        return true;
    }
    static Frame* frame_at(AddressSpace* space, VirtAddr address) {
        return frame_of(host::raw_entry(space->page_map, address) & pte::kAddressMask);
    }
    AddressSpace* parent = nullptr;
    AddressSpace* child = nullptr;
};

TEST_F(Faults, anonymous_pages_are_zero) {
    VirtAddr at = map(3, kReadWrite);
    for (size_t i = 0; i < kPageSize; i += 64) ASSERT_EQ(read(parent, at + i), 0);
    EXPECT_TRUE(write(parent, at + 5, 'x'));
    EXPECT_EQ(read(parent, at + 5), 'x');
    EXPECT_EQ(host::raw_entry(parent->page_map, at + 2 * kPageSize), 0u) << "only on demand";
}

TEST_F(Faults, what_a_region_forbids_is_not_resolved) {
    VirtAddr at = map(1, kRead);
    EXPECT_EQ(fault(parent, at, Access::Write), FaultError::Protection);
    EXPECT_EQ(fault(parent, at, Access::Execute), FaultError::Protection);
    EXPECT_EQ(fault(parent, at + kPageSize, Access::Read), FaultError::NoRegion);
    EXPECT_EQ(fault(parent, at - 1, Access::Read), FaultError::NoRegion);
}

TEST_F(Faults, leaves_allow_what_the_region_allows) {
    VirtAddr at = map(1, kProtRead | kProtExecute);
    EXPECT_EQ(fault(parent, at, Access::Execute), FaultError::None);
    uint64_t entry = host::raw_entry(parent->page_map, at);
    EXPECT_EQ(entry & pte::kWrite, 0u);
    EXPECT_EQ(entry & pte::kNoExecute, 0u);
    EXPECT_NE(entry & pte::kUser, 0u);
    VirtAddr data = parent->map(0, kPageSize, kReadWrite, MAP_PRIVATE, nullptr, 0).value();
    EXPECT_EQ(fault(parent, data, Access::Read), FaultError::None);
    EXPECT_NE(host::raw_entry(parent->page_map, data) & pte::kNoExecute, 0u);
}

TEST_F(Faults, a_file_is_shared_until_it_is_written) {
    FakeFile file(3);
    VirtAddr at = map(2, kReadWrite, &file, MAP_PRIVATE, kPageSize);
    EXPECT_EQ(read(parent, at), 'b');
    EXPECT_EQ(frame_at(parent, at), file.pages[1]) << "a private read copies nothing";
    host::forget_flushes();
    EXPECT_TRUE(write(parent, at, 'X'));
    EXPECT_TRUE(host::was_flushed(at)) << "other threads still see the file's page";
    EXPECT_NE(frame_at(parent, at), file.pages[1]);
    EXPECT_EQ(read(parent, at), 'X');
    EXPECT_EQ(read(parent, at + 1), 'b') << "the rest of the page is the file's";
    EXPECT_EQ(*static_cast<char*>(frame_data(file.pages[1])), 'b') << "the file was written";
    EXPECT_TRUE(write(parent, at + kPageSize, 'Y')) << "written without a read before";
    EXPECT_EQ(*static_cast<char*>(frame_data(file.pages[2])), 'c');
    parent->unref();
    parent = nullptr;
}

TEST_F(Faults, a_shared_mapping_writes_to_the_file) {
    FakeFile file(1);
    VirtAddr at = map(1, kReadWrite, &file, MAP_SHARED);
    EXPECT_TRUE(write(parent, at, 'S'));
    EXPECT_EQ(*static_cast<char*>(frame_data(file.pages[0])), 'S');
    parent->unref();
    parent = nullptr;
}

TEST_F(Faults, beyond_the_end_of_a_file) {
    FakeFile file(1);
    VirtAddr at = map(2, kReadWrite, &file);
    EXPECT_EQ(fault(parent, at + kPageSize, Access::Read), FaultError::PastEnd);
    EXPECT_EQ(fault(parent, at + kPageSize, Access::Write), FaultError::PastEnd);
    parent->unref();
    parent = nullptr;
}

TEST_F(Faults, out_of_memory_is_an_error_and_loses_nothing) {
    FakeFile file(1);
    VirtAddr anonymous = map(1, kReadWrite);
    VirtAddr mapped = parent->map(0, kPageSize, kReadWrite, MAP_PRIVATE, &file, 0).value();
    EXPECT_EQ(read(parent, mapped), 'a');
    {
        host::Shortage shortage(0);
        EXPECT_EQ(fault(parent, anonymous, Access::Write), FaultError::OutOfMemory);
        EXPECT_EQ(fault(parent, mapped, Access::Write), FaultError::OutOfMemory);
    }
    {
        host::Shortage shortage(1);  // the page, but no table
        EXPECT_EQ(fault(parent, anonymous, Access::Write), FaultError::OutOfMemory);
    }
    EXPECT_EQ(read(parent, mapped), 'a');
    EXPECT_TRUE(write(parent, anonymous, 'z'));
    parent->unref();
    parent = nullptr;
}

TEST_F(Faults, a_fault_that_another_thread_resolved_is_fine) {
    VirtAddr at = map(1, kReadWrite);
    EXPECT_TRUE(write(parent, at, 'q'));
    Frame* frame = frame_at(parent, at);
    EXPECT_EQ(fault(parent, at, Access::Write), FaultError::None);
    EXPECT_EQ(fault(parent, at, Access::Read), FaultError::None);
    EXPECT_EQ(frame_at(parent, at), frame);
    EXPECT_EQ(read(parent, at), 'q');
}

// ---- fork ----

TEST_F(Faults, fork_shares_frames_read_only_in_both) {
    VirtAddr at = map(3, kReadWrite);
    for (int i = 0; i < 3; ++i) write(parent, at + i * kPageSize, static_cast<char>('0' + i));
    uint64_t free = frames_free();
    fork();
    EXPECT_LE(free - frames_free(), 4u) << "only the child's root and three tables are new";
    for (int i = 0; i < 3; ++i) {
        VirtAddr page = at + i * kPageSize;
        EXPECT_EQ(frame_at(child, page), frame_at(parent, page));
        EXPECT_EQ(frame_at(child, page)->references.load(), 2u);
        for (AddressSpace* space : {parent, child}) {
            uint64_t entry = host::raw_entry(space->page_map, page);
            EXPECT_EQ(entry & pte::kWrite, 0u) << (space == child ? "child" : "parent");
            EXPECT_NE(entry & kPageCow, 0u) << (space == child ? "child" : "parent");
        }
    }
}

TEST_F(Faults, fork_flushes_what_the_parent_may_no_longer_write) {
    VirtAddr at = map(2, kReadWrite);
    write(parent, at, 'w');
    host::forget_flushes();
    fork();
    EXPECT_TRUE(host::was_flushed(at));
    EXPECT_LE(host::shootdowns, 1u) << "one flush for the whole fork";
}

TEST_F(Faults, after_fork_neither_sees_the_others_writes) {
    VirtAddr at = map(2, kReadWrite);
    write(parent, at, 'p');
    write(parent, at + kPageSize, 'q');
    fork();
    EXPECT_TRUE(write(child, at, 'c'));
    EXPECT_EQ(read(parent, at), 'p');
    EXPECT_TRUE(write(parent, at + kPageSize, 'P'));
    EXPECT_EQ(read(child, at + kPageSize), 'q');
    EXPECT_EQ(read(child, at), 'c');
    EXPECT_EQ(read(parent, at + kPageSize), 'P');
}

TEST_F(Faults, the_last_holder_of_a_cow_page_writes_in_place) {
    VirtAddr at = map(1, kReadWrite);
    write(parent, at, 'p');
    Frame* frame = frame_at(parent, at);
    fork();
    write(child, at, 'c');
    EXPECT_EQ(frame->references.load(), 1u);
    uint64_t free = frames_free();
    write(parent, at, 'P');
    EXPECT_EQ(frame_at(parent, at), frame) << "copied although nobody else has it";
    EXPECT_EQ(frames_free(), free);
    EXPECT_EQ(read(child, at), 'c');
}

TEST_F(Faults, fork_does_not_make_read_only_memory_writable) {
    VirtAddr at = map(1, kReadWrite);
    write(parent, at, 'r');
    ASSERT_TRUE(parent->protect(at, kPageSize, kProtRead).ok());
    fork();
    EXPECT_EQ(fault(child, at, Access::Write), FaultError::Protection);
    EXPECT_EQ(fault(parent, at, Access::Write), FaultError::Protection);
    // mprotect after the fork must not let either write to the common frame.
    ASSERT_TRUE(child->protect(at, kPageSize, kReadWrite).ok());
    EXPECT_TRUE(write(child, at, 'c'));
    EXPECT_EQ(read(parent, at), 'r') << "the child wrote into the parent's page";
}

TEST_F(Faults, shared_memory_stays_shared_across_fork) {
    VirtAddr at = map(3, kReadWrite, nullptr, MAP_SHARED | MAP_ANONYMOUS);
    write(parent, at, '1');
    fork();
    EXPECT_EQ(read(child, at), '1');
    write(child, at, '2');
    EXPECT_EQ(read(parent, at), '2');
    write(parent, at + kPageSize, '3');  // not there at the time of the fork
    EXPECT_EQ(read(child, at + kPageSize), '3');
}

TEST_F(Faults, fork_of_an_inaccessible_page_keeps_it_inaccessible) {
    VirtAddr at = map(1, kReadWrite);
    write(parent, at, 'n');
    ASSERT_TRUE(parent->protect(at, kPageSize, 0).ok());
    fork();
    EXPECT_EQ(fault(child, at, Access::Read), FaultError::Protection);
    ASSERT_TRUE(child->protect(at, kPageSize, kReadWrite).ok());
    EXPECT_EQ(read(child, at), 'n');
    EXPECT_TRUE(write(child, at, 'm'));
    ASSERT_TRUE(parent->protect(at, kPageSize, kRead).ok());
    EXPECT_EQ(read(parent, at), 'n');
}

TEST_F(Faults, fork_without_memory_fails_and_loses_nothing) {
    VirtAddr at = map(1, kReadWrite);
    VirtAddr far = parent->map(0x5000'0000'0000, kPageSize, kReadWrite,
                               MAP_PRIVATE | MAP_FIXED, nullptr, 0)
                       .value();
    write(parent, at, 'a');
    write(parent, far, 'b');
    for (uint64_t left = 0; left < 7; ++left) {
        host::Shortage shortage(left);
        Result<AddressSpace*> failed = parent->clone();
        ASSERT_FALSE(failed.ok()) << "with " << left << " frames";
        EXPECT_EQ(failed.error().number(), ENOMEM);
    }
    EXPECT_TRUE(write(parent, at, 'A'));
    EXPECT_TRUE(write(parent, far, 'B'));
    EXPECT_EQ(read(parent, at), 'A');
}

TEST_F(Faults, grandchildren_share_the_same_frame) {
    VirtAddr at = map(1, kReadWrite);
    write(parent, at, 'g');
    fork();
    AddressSpace* grandchild = child->clone().value();
    EXPECT_EQ(frame_at(parent, at)->references.load(), 3u);
    write(child, at, 'h');
    EXPECT_EQ(read(grandchild, at), 'g');
    EXPECT_EQ(read(parent, at), 'g');
    EXPECT_EQ(frame_at(parent, at)->references.load(), 2u);
    grandchild->unref();
    EXPECT_EQ(frame_at(parent, at)->references.load(), 1u);
}

TEST_F(Faults, fault_around_maps_resident_neighbours_only) {
    FakeFile file(20);
    file.around = true;
    VirtAddr at = map(20, kRead, &file);
    EXPECT_EQ(read(parent, at + 17 * kPageSize), 'a' + 17);
    EXPECT_NE(host::raw_entry(parent->page_map, at + 16 * kPageSize), 0u);
    EXPECT_NE(host::raw_entry(parent->page_map, at + 19 * kPageSize), 0u);
    EXPECT_EQ(host::raw_entry(parent->page_map, at + 15 * kPageSize), 0u);
    parent->unref();
    parent = nullptr;
}

}  // namespace
