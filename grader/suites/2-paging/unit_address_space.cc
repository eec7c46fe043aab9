// kernel/mm: regions and the mmap family, over the page map under test. The machine: machine.h.
#include <cstring>
#include <random>

#include "grader/suites/2-paging/machine.h"

namespace {

constexpr VirtAddr kBase = 0x10000000;
constexpr uint8_t kRead = kProtRead, kReadWrite = kProtRead | kProtWrite;
constexpr uint32_t kFixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

class AddressSpaces : public host::MachineTest {
  protected:
    void SetUp() override {
        MachineTest::SetUp();
        space = AddressSpace::create().value();
    }
    void TearDown() override {
        space->unref();
        MachineTest::TearDown();
    }
    int map_at(VirtAddr page, uint64_t pages, uint8_t protection = kReadWrite,
               uint32_t flags = kFixed) {
        Result<VirtAddr> result =
            space->map(at(page), pages * kPageSize, protection, flags, nullptr, 0);
        return result.ok() ? 0 : result.error().number();
    }
    static VirtAddr at(uint64_t page) { return kBase + page * kPageSize; }
    int error(Result<void> result) { return result.ok() ? 0 : result.error().number(); }
    bool put(uint64_t page, char value) {
        if (space->handle_fault(at(page), Access::Write) != FaultError::None) return false;
        *byte(at(page)) = value;
        return true;
    }
    char get(VirtAddr address) {
        if (space->handle_fault(address, Access::Read) != FaultError::None) return '!';
        return *byte(address);
    }
    char* byte(VirtAddr address) {
        return static_cast<char*>(
            phys_to_virt(page_map_translate(space->page_map, address)->address));
    }
    // "0-3rw 5-6r": pages relative to kBase.
    std::string regions() {
        std::string text;
        for (Region& r : space->regions) {
            if (!text.empty()) text += ' ';
            text += std::to_string(static_cast<int64_t>(r.start - kBase) / 4096) + '-' +
                    std::to_string(static_cast<int64_t>(r.end - kBase) / 4096);
            if ((r.protection & kProtRead) != 0) text += 'r';
            if ((r.protection & kProtWrite) != 0) text += 'w';
        }
        return text;
    }
    AddressSpace* space = nullptr;
};

TEST_F(AddressSpaces, equal_neighbours_merge) {
    map_at(0, 2);
    map_at(4, 2);
    map_at(2, 2);
    EXPECT_EQ(regions(), "0-6rw");
    map_at(6, 1, kRead);
    EXPECT_EQ(regions(), "0-6rw 6-7r");
}

TEST_F(AddressSpaces, unmap_splits) {
    map_at(0, 10);
    put(3, 'x');
    put(4, 'y');
    EXPECT_EQ(error(space->unmap(at(2), 2 * kPageSize)), 0);
    EXPECT_EQ(regions(), "0-2rw 4-10rw");
    EXPECT_EQ(get(at(3)), '!');
    EXPECT_EQ(get(at(4)), 'y');
    EXPECT_EQ(error(space->unmap(at(0), 100 * kPageSize)), 0);
    EXPECT_EQ(regions(), "");
    EXPECT_EQ(error(space->unmap(at(0) + 1, kPageSize)), EINVAL);
    EXPECT_EQ(error(space->unmap(at(0), 0)), EINVAL);
    EXPECT_EQ(error(space->unmap(kUserTop - kPageSize, 2 * kPageSize)), EINVAL);
    EXPECT_EQ(error(space->unmap(at(0), ~0ull)), EINVAL);
}

TEST_F(AddressSpaces, protect_splits_and_merges_back) {
    map_at(0, 10);
    for (int i = 0; i < 10; ++i) put(i, static_cast<char>('0' + i));
    EXPECT_EQ(error(space->protect(at(3), 2 * kPageSize, kRead)), 0);
    EXPECT_EQ(regions(), "0-3rw 3-5r 5-10rw");
    EXPECT_EQ(space->handle_fault(at(3), Access::Write), FaultError::Protection);
    EXPECT_EQ(host::raw_entry(space->page_map, at(3)) & pte::kWrite, 0u);
    EXPECT_EQ(error(space->protect(at(2), 4 * kPageSize, kReadWrite)), 0);
    EXPECT_EQ(regions(), "0-10rw");
    EXPECT_EQ(get(at(4)), '4');
    EXPECT_EQ(error(space->protect(at(8), 4 * kPageSize, kRead)), ENOMEM) << "a hole";
    EXPECT_EQ(error(space->protect(at(0) + 8, kPageSize, kRead)), EINVAL);
}

TEST_F(AddressSpaces, fixed_replaces_and_no_replace_does_not) {
    map_at(0, 4);
    put(1, 'o');
    EXPECT_EQ(map_at(1, 1, kReadWrite, kFixed | MAP_FIXED_NOREPLACE), EEXIST);
    EXPECT_EQ(get(at(1)), 'o');
    EXPECT_EQ(map_at(1, 1, kRead), 0);
    EXPECT_EQ(regions(), "0-1rw 1-2r 2-4rw");
    EXPECT_EQ(get(at(1)), 0) << "the old page must not show through";
}

TEST_F(AddressSpaces, bad_arguments) {
    auto map = [&](VirtAddr hint, uint64_t size, uint32_t flags, uint64_t offset = 0) {
        Result<VirtAddr> r = space->map(hint, size, kRead, flags, nullptr, offset);
        return r.ok() ? 0 : r.error().number();
    };
    EXPECT_EQ(map(0, 0, MAP_PRIVATE), EINVAL);
    EXPECT_EQ(map(0, kPageSize, 0), EINVAL);
    EXPECT_EQ(map(0, kPageSize, MAP_PRIVATE, 123), EINVAL);
    EXPECT_EQ(map(0, ~0ull, MAP_PRIVATE), ENOMEM);
    EXPECT_EQ(map(0, kUserTop, MAP_PRIVATE), ENOMEM);
    EXPECT_EQ(map(kBase + 1, kPageSize, kFixed), EINVAL);
    EXPECT_EQ(map(kUserTop, kPageSize, kFixed), ENOMEM);
    EXPECT_EQ(map(0xffff800000000000, kPageSize, kFixed), ENOMEM);
    EXPECT_EQ(map(0, kPageSize, kFixed), EPERM);
    EXPECT_EQ(regions(), "");
}

TEST_F(AddressSpaces, placement_is_top_down_below_the_stack) {
    ASSERT_TRUE(space->map_stack(kUserTop - kPageSize, 4 * kPageSize, 8 << 20).ok());
    VirtAddr first = space->map(0, kPageSize, kRead, MAP_PRIVATE, nullptr, 0).value();
    VirtAddr second = space->map(0, kPageSize, kReadWrite, MAP_PRIVATE, nullptr, 0).value();
    EXPECT_LT(first, kUserTop - (8 << 20));
    EXPECT_EQ(second, first - kPageSize);
    EXPECT_TRUE(space->unmap(first, kPageSize).ok());
    EXPECT_EQ(space->map(0, kPageSize, kRead, MAP_PRIVATE, nullptr, 0).value(), first);
}

TEST_F(AddressSpaces, a_hint_is_taken_when_it_is_free) {
    EXPECT_EQ(space->map(kBase + 5, kPageSize, kRead, MAP_PRIVATE, nullptr, 0).value(), kBase);
    EXPECT_NE(space->map(kBase, kPageSize, kRead, MAP_PRIVATE, nullptr, 0).value(), kBase);
}

TEST_F(AddressSpaces, the_stack_grows_to_its_limit_and_keeps_a_gap) {
    VirtAddr top = kBase + (64 << 20);
    ASSERT_TRUE(space->map_stack(top, kPageSize, 4 << 20).ok());
    EXPECT_EQ(space->handle_fault(top - (1 << 20), Access::Write), FaultError::None);
    EXPECT_EQ(space->handle_fault(top - (4 << 20), Access::Write), FaultError::None);
    EXPECT_EQ(space->handle_fault(top - (4 << 20) - 1, Access::Write), FaultError::NoRegion);

    VirtAddr top2 = kBase + (128 << 20);
    ASSERT_TRUE(space->map_stack(top2, kPageSize, 4 << 20).ok());
    VirtAddr below = top2 - (2 << 20);
    ASSERT_TRUE(space->map(below, kPageSize, kRead, kFixed, nullptr, 0).ok());
    EXPECT_EQ(space->handle_fault(below + 2 * kPageSize, Access::Write), FaultError::NoRegion);
    EXPECT_EQ(space->handle_fault(below + (1 << 20) + kPageSize, Access::Write),
              FaultError::None);
}

TEST_F(AddressSpaces, break_grows_shrinks_and_stops_at_neighbours) {
    space->init_break(at(0) + 5);
    EXPECT_EQ(space->set_break(0), at(1));
    EXPECT_EQ(space->set_break(at(3) + 100), at(3) + 100);
    EXPECT_EQ(regions(), "1-4rw");
    put(3, 'h');
    EXPECT_EQ(space->set_break(at(3) + 200), at(3) + 200);
    EXPECT_EQ(get(at(3)), 'h');
    EXPECT_EQ(space->set_break(at(2)), at(2));
    EXPECT_EQ(regions(), "1-2rw");
    EXPECT_EQ(space->set_break(at(5)), at(5));
    EXPECT_EQ(regions(), "1-5rw");
    EXPECT_EQ(get(at(3)), 0) << "given back and taken anew: zero";
    map_at(8, 1);
    EXPECT_EQ(space->set_break(at(8)), at(5));
    EXPECT_EQ(space->set_break(~0ull), at(5));
}

TEST_F(AddressSpaces, dont_need_drops_pages) {
    map_at(0, 3);
    put(0, 'a');
    put(1, 'b');
    EXPECT_EQ(error(space->advise(at(1), kPageSize, MADV_DONTNEED)), 0);
    EXPECT_EQ(get(at(0)), 'a');
    EXPECT_EQ(get(at(1)), 0);
    EXPECT_EQ(error(space->advise(at(2), 2 * kPageSize, MADV_DONTNEED)), ENOMEM);
    EXPECT_EQ(error(space->advise(at(0), kPageSize, 12345)), EINVAL);
}

TEST_F(AddressSpaces, remap_grows_in_place_moves_and_shrinks) {
    map_at(0, 2);
    put(0, 'a');
    put(1, 'b');
    EXPECT_EQ(space->remap(at(0), 2 * kPageSize, 4 * kPageSize, 0, 0).value(), at(0));
    EXPECT_EQ(regions(), "0-4rw");
    map_at(4, 1, kRead);
    EXPECT_EQ(space->remap(at(0), 4 * kPageSize, 8 * kPageSize, 0, 0).error().number(), ENOMEM);
    Frame* frame = frame_of(virt_to_phys(byte(at(1))));
    VirtAddr moved =
        space->remap(at(0), 4 * kPageSize, 2000 * kPageSize, MREMAP_MAYMOVE, 0).value();
    EXPECT_EQ(regions().substr(0, 4), "4-5r");
    EXPECT_EQ(get(moved), 'a');
    EXPECT_EQ(get(moved + kPageSize), 'b');
    EXPECT_EQ(frame_of(virt_to_phys(byte(moved + kPageSize))), frame) << "copied, not moved";
    EXPECT_EQ(get(at(0)), '!');
    EXPECT_EQ(get(moved + 1999 * kPageSize), 0);
    EXPECT_EQ(space->remap(moved, 2000 * kPageSize, kPageSize, 0, 0).value(), moved);
    EXPECT_EQ(get(moved + kPageSize), '!');
}

TEST_F(AddressSpaces, remap_fixed_replaces_a_piece_of_another) {
    map_at(0, 3);
    put(1, 'm');
    map_at(10, 5);
    put(12, 'z');
    EXPECT_EQ(space
                  ->remap(at(1), kPageSize, kPageSize, MREMAP_MAYMOVE | MREMAP_FIXED, at(12))
                  .value(),
              at(12));
    EXPECT_EQ(get(at(12)), 'm');
    EXPECT_EQ(get(at(1)), '!');
    EXPECT_EQ(regions(), "0-1rw 2-3rw 10-15rw");
    auto bad = [&](VirtAddr from, uint64_t size, uint64_t to_size, uint32_t flags, VirtAddr to) {
        Result<VirtAddr> r = space->remap(from, size, to_size, flags, to);
        return r.ok() ? 0 : r.error().number();
    };
    EXPECT_EQ(bad(at(10), 2 * kPageSize, kPageSize * 2, MREMAP_MAYMOVE | MREMAP_FIXED, at(11)),
              EINVAL) << "overlaps itself";
    EXPECT_EQ(bad(at(10), kPageSize, 0, 0, 0), EINVAL);
    EXPECT_EQ(bad(at(10), kPageSize, kPageSize, MREMAP_FIXED, at(20)), EINVAL);
    EXPECT_EQ(bad(at(0), 2 * kPageSize, 3 * kPageSize, 0, 0), EFAULT);
}

TEST_F(AddressSpaces, the_limit_is_kept) {
    space->limit_bytes = 10 * kPageSize;
    EXPECT_EQ(map_at(0, 8), 0);
    EXPECT_EQ(map_at(20, 3), ENOMEM);
    EXPECT_EQ(map_at(20, 2), 0);
    EXPECT_EQ(space->total_pages(), 10u);
    EXPECT_TRUE(space->unmap(at(0), 4 * kPageSize).ok());
    EXPECT_EQ(space->total_pages(), 6u);
}

TEST_F(AddressSpaces, clear_removes_everything) {
    map_at(0, 100);
    put(50, 'c');
    space->clear();
    EXPECT_EQ(regions(), "");
    EXPECT_EQ(space->total_pages(), 0u);
    EXPECT_EQ(space->resident_pages(), 0u);
}

// Random maps, unmaps and protects against a model: one byte of rights a page.
TEST_F(AddressSpaces, random_operations_match_a_model) {
    constexpr int kPages = 64;
    std::mt19937 random(7);
    int model[kPages] = {};  // 0: nothing; else protection + 1
    char content[kPages] = {};
    for (int step = 0; step < 20000; ++step) {
        int first = static_cast<int>(random() % kPages);
        int count = 1 + static_cast<int>(random() % (kPages - first));
        uint8_t protection = static_cast<uint8_t>(random() % 4);
        switch (random() % 4) {
            case 0:
                count = 1 + count % 8;
                if (first + count > kPages) count = kPages - first;
                ASSERT_EQ(map_at(first, count, protection), 0);
                for (int i = first; i < first + count; ++i)
                    model[i] = protection + 1, content[i] = 0;
                break;
            case 1:
                count = 1 + count % 8;
                if (first + count > kPages) count = kPages - first;
                ASSERT_TRUE(space->unmap(at(first), count * kPageSize).ok());
                for (int i = first; i < first + count; ++i) model[i] = 0;
                break;
            case 2: {
                bool whole = true;
                for (int i = first; i < first + count; ++i) whole &= model[i] != 0;
                ASSERT_EQ(space->protect(at(first), count * kPageSize, protection).ok(), whole);
                for (int i = first; whole && i < first + count; ++i) model[i] = protection + 1;
                break;
            }
            default: {
                bool writable = model[first] != 0 && ((model[first] - 1) & kProtWrite) != 0;
                char value = static_cast<char>(random());
                ASSERT_EQ(put(first, value), writable);
                if (writable) content[first] = value;
            }
        }
        bool readable = model[first] > 1;
        ASSERT_EQ(get(at(first)) == '!', !readable || content[first] == '!') << step;
        if (readable) {
            ASSERT_EQ(get(at(first)), content[first]) << step;
        }
    }
    VirtAddr end = 0;
    for (Region& r : space->regions) {
        ASSERT_LE(end, r.start);
        ASSERT_LT(r.start, r.end);
        end = r.end;
    }
}

}  // namespace
