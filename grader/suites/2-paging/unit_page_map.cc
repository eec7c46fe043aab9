// Lab 2, page_map.cc. The machine: machine.h.
#include "grader/suites/2-paging/machine.h"
#include "kernel/arch/x86.h"

namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;
constexpr VirtAddr kBase = 0x400000;
constexpr uint64_t kUserData = kPageUser | kPageWrite;

// A user map; device memory by default, so that no frames are involved.
class PageMaps : public host::MachineTest {
  protected:
    void SetUp() override {
        MachineTest::SetUp();
        ASSERT_TRUE(page_map_create(map, nullptr).ok());
    }
    void TearDown() override {
        cpu_features.nx = cpu_features.large_1g = true;
        page_map_destroy(map);
        MachineTest::TearDown();
    }
    int map_error(VirtAddr address, PhysAddr physical, uint64_t size) {
        Result<void> result = page_map_map(map, address, physical, size, kUserData, true);
        return result.ok() ? 0 : result.error().number();
    }
    void map_device(VirtAddr address, uint64_t size, uint64_t flags = kUserData,
                    bool large = false, PhysAddr physical = host::kDevice) {
        ASSERT_TRUE(page_map_map(map, address, physical, size, flags, large).ok());
    }
    void unmap(VirtAddr address, uint64_t size) {
        TlbBatch batch;
        EXPECT_TRUE(page_map_unmap(map, address, size, batch).ok());
        finish(batch);
    }
    void protect(VirtAddr address, uint64_t size, uint64_t flags) {
        TlbBatch batch;
        EXPECT_TRUE(page_map_protect(map, address, size, flags, batch).ok());
        finish(batch);
    }
    static void finish(TlbBatch& batch) {
        ActiveSpace space;
        tlb_shootdown(space, batch);
    }
    PhysAddr physical(VirtAddr address) {
        auto found = page_map_translate(map, address);
        return found ? found->address : 0;
    }
    PageMap map;
    std::vector<Frame*> kernel_tables;
};

TEST_F(PageMaps, a_mapped_byte_translates_with_its_offset) {
    map_device(kBase, 2 * kPageSize);
    auto found = page_map_translate(map, kBase + kPageSize + 0x123);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->address, host::kDevice + kPageSize + 0x123);
    EXPECT_EQ(found->page_size, kPageSize);
    EXPECT_FALSE(page_map_translate(map, kBase - 1).has_value());
    EXPECT_FALSE(page_map_translate(map, kBase + 2 * kPageSize).has_value());
}

TEST_F(PageMaps, the_address_mask_drops_no_execute_and_flags) {
    constexpr PhysAddr kHigh = 0x000f'ffff'ffff'f000;
    map_device(kBase, kPageSize, kUserData | kPageCow | kPageShared, false, kHigh);
    EXPECT_EQ(physical(kBase + 5), kHigh + 5);
    EXPECT_NE(host::raw_entry(map, kBase) & pte::kNoExecute, 0u);
}

TEST_F(PageMaps, intermediate_entries_allow_everything_and_the_leaf_decides) {
    map_device(kBase, kPageSize, kPageUser);
    for (int level = 2; level <= 4; ++level) {
        uint64_t entry = host::raw_entry(map, kBase, level);
        EXPECT_NE(entry & pte::kPresent, 0u) << "level " << level;
        EXPECT_NE(entry & pte::kWrite, 0u) << "level " << level;
        EXPECT_NE(entry & pte::kUser, 0u) << "level " << level;
        EXPECT_EQ(entry & pte::kNoExecute, 0u) << "level " << level;
    }
    EXPECT_EQ(host::raw_entry(map, kBase) & pte::kWrite, 0u);
}

TEST_F(PageMaps, kernel_entries_are_not_for_users) {
    map_device(kVmapBase, kPageSize, kPageWrite);
    for (int level = 1; level <= 4; ++level)
        EXPECT_EQ(host::raw_entry(map, kVmapBase, level) & pte::kUser, 0u);
    unmap(kVmapBase, kPageSize);
    // destroy() frees the user half only; take the kernel's three tables down by hand.
    for (int level = 2; level <= 4; ++level) {
        PhysAddr table = host::raw_entry(map, kVmapBase, level) & pte::kAddressMask;
        kernel_tables.push_back(frame_of(table));
    }
    for (Frame* frame : kernel_tables) frame_unref(frame);
}

TEST_F(PageMaps, no_execute_is_the_default_where_the_cpu_has_it) {
    map_device(kBase, kPageSize, kPageUser);
    map_device(kBase + kPageSize, kPageSize, kPageUser | kPageExecute);
    EXPECT_NE(host::raw_entry(map, kBase) & pte::kNoExecute, 0u);
    EXPECT_EQ(host::raw_entry(map, kBase + kPageSize), (host::kDevice | pte::kPresent |
                                                        pte::kUser));
    cpu_features.nx = false;
    map_device(kBase + 2 * kPageSize, kPageSize, kPageUser);
    EXPECT_EQ(host::raw_entry(map, kBase + 2 * kPageSize) & pte::kNoExecute, 0u);
}

TEST_F(PageMaps, new_tables_are_zero_also_in_poisoned_frames) {
    map_device(kBase, kPageSize);
    EXPECT_EQ(host::raw_entry(map, kBase + kPageSize), 0u);
    EXPECT_EQ(host::raw_entry(map, kBase + kGiB, 3), 0u);
    EXPECT_FALSE(page_map_translate(map, kBase + 2 * kMiB).has_value());
}

TEST_F(PageMaps, bad_ranges_are_refused) {
    EXPECT_EQ(map_error(kBase, host::kDevice, 0), EINVAL) << "empty";
    EXPECT_EQ(map_error(kBase + 1, host::kDevice, kPageSize), EINVAL) << "address";
    EXPECT_EQ(map_error(kBase, host::kDevice + 0x800, kPageSize), EINVAL) << "physical";
    EXPECT_EQ(map_error(kBase, host::kDevice, 100), EINVAL) << "size";
    EXPECT_EQ(map_error(0x0000'8000'0000'0000, host::kDevice, kPageSize), EINVAL);
    EXPECT_EQ(map_error(0x0000'7fff'ffff'f000, host::kDevice, 2 * kPageSize), EINVAL)
        << "runs into the hole of the address space";
    EXPECT_EQ(map_error(0xffff'ffff'ffff'f000, host::kDevice, 2 * kPageSize), EINVAL)
        << "address + size overflows";
    EXPECT_EQ(map_error(0x0000'7fff'ffff'f000, host::kDevice, ~0ull << 47), EINVAL)
        << "from the user half into the kernel's";
    TlbBatch batch;
    EXPECT_EQ(page_map_unmap(map, ~0xfffull, 2 * kPageSize, batch).error().number(), EINVAL);
    EXPECT_EQ(page_map_protect(map, kBase, 1, 0, batch).error().number(), EINVAL);
}

TEST_F(PageMaps, the_last_user_page_can_be_mapped) {
    VirtAddr last = kUserTop - kPageSize;
    map_device(last, kPageSize);
    EXPECT_EQ(physical(kUserTop - 1), host::kDevice + 0xfff);
    unmap(last, kPageSize);
    EXPECT_EQ(physical(last), 0u);
}

TEST_F(PageMaps, the_last_page_of_the_address_space_can_be_used) {
    constexpr VirtAddr kLast = 0xffff'ffff'ffff'f000;
    ASSERT_TRUE(page_map_map(map, kLast, host::kDevice, kPageSize, kPageWrite, true).ok());
    EXPECT_EQ(physical(kLast + 0xfff), host::kDevice + 0xfff);
    protect(kLast, kPageSize, kPageRead);
    EXPECT_EQ(host::raw_entry(map, kLast) & pte::kWrite, 0u);
    unmap(kLast, kPageSize);
    EXPECT_EQ(physical(kLast), 0u);
    for (int level = 2; level <= 4; ++level)
        kernel_tables.push_back(
            frame_of(host::raw_entry(map, kLast, level) & pte::kAddressMask));
    for (Frame* frame : kernel_tables) frame_unref(frame);
}

TEST_F(PageMaps, mapping_what_is_mapped_is_refused_and_changes_nothing) {
    map_device(kBase + 2 * kPageSize, kPageSize);
    Result<void> result = page_map_map(map, kBase, host::kDevice + kGiB, 4 * kPageSize,
                                       kUserData, false);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().number(), EEXIST);
    EXPECT_EQ(physical(kBase), 0u);
    EXPECT_EQ(physical(kBase + kPageSize), 0u);
    EXPECT_EQ(physical(kBase + 2 * kPageSize), host::kDevice);
}

TEST_F(PageMaps, large_leaves_where_alignment_and_size_allow) {
    VirtAddr start = kGiB - 2 * kMiB;
    PhysAddr device = 4 * kGiB - 2 * kMiB;
    map_device(start, kGiB + 2 * kMiB + kPageSize, kUserData, true, device);
    EXPECT_EQ(page_map_translate(map, start)->page_size, 2 * kMiB);
    EXPECT_EQ(page_map_translate(map, kGiB + 12345)->page_size, kGiB);
    EXPECT_EQ(page_map_translate(map, 2 * kGiB)->page_size, kPageSize);
    for (uint64_t at : {0ull, 2 * kMiB - 1ull, 2ull * kMiB, 700ull * kMiB, kGiB + 2ull * kMiB})
        EXPECT_EQ(physical(start + at), device + at);
}

TEST_F(PageMaps, no_large_leaves_without_alignment_permission_or_cpu) {
    map_device(2 * kMiB, 4 * kMiB, kUserData, false);
    EXPECT_EQ(page_map_translate(map, 2 * kMiB)->page_size, kPageSize);
    map_device(8 * kMiB, 4 * kMiB, kUserData, true, host::kDevice + kPageSize);
    EXPECT_EQ(page_map_translate(map, 8 * kMiB)->page_size, kPageSize);
    cpu_features.large_1g = false;
    map_device(4ull * kGiB, kGiB, kUserData, true);
    EXPECT_EQ(page_map_translate(map, 4ull * kGiB)->page_size, 2 * kMiB);
}

TEST_F(PageMaps, a_large_leaf_is_not_walked_as_a_table) {
    map_device(2 * kMiB, 2 * kMiB, kUserData, true);
    EXPECT_EQ(map_error(3 * kMiB, host::kDevice, kPageSize), EEXIST);
    EXPECT_EQ(page_map_find_table(map, 3 * kMiB), nullptr);
    Result<uint64_t*> made = page_map_make_table(map, 3 * kMiB);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().number(), EEXIST);
    int visits = 0;
    page_map_visit(
        map, 0, kGiB, [](void* count, VirtAddr, uint64_t&) { ++*static_cast<int*>(count); },
        &visits);
    EXPECT_EQ(visits, 0) << "only 4 KiB leaves are visited";
}

TEST_F(PageMaps, out_of_memory_in_the_middle_leaves_nothing_mapped) {
    // Crosses a 2 MiB boundary: the second table is the one that fails.
    VirtAddr start = 4 * kMiB - 2 * kPageSize;
    map_device(start - kPageSize, kPageSize);
    {
        host::Shortage shortage(0);
        Result<void> result =
            page_map_map(map, start, host::kDevice, 4 * kPageSize, kUserData, false);
        ASSERT_FALSE(result.ok());
        EXPECT_EQ(result.error().number(), ENOMEM);
    }
    for (int i = 0; i < 4; ++i) EXPECT_EQ(physical(start + i * kPageSize), 0u) << i;
    EXPECT_EQ(physical(start - kPageSize), host::kDevice) << "was mapped before";
    map_device(start, 4 * kPageSize);
}

TEST_F(PageMaps, a_failed_map_keeps_the_callers_reference) {
    Frame* frame = frame_alloc().value();
    map_device(kBase, kPageSize);
    EXPECT_EQ(map_error(kBase, frame_address(frame), kPageSize), EEXIST);
    EXPECT_EQ(frame->references.load(), 1u);
    frame_unref(frame);
}

TEST_F(PageMaps, unmap_reports_pages_and_keeps_frames_until_the_flush) {
    Frame* frame = frame_alloc().value();
    map_device(kBase, kPageSize, kUserData, false, frame_address(frame));
    uint64_t free = frames_free();
    TlbBatch batch;
    ASSERT_TRUE(page_map_unmap(map, kBase - kPageSize, 16 * kPageSize, batch).ok());
    EXPECT_EQ(physical(kBase), 0u);
    ASSERT_EQ(batch.page_count(), 1u);
    EXPECT_EQ(batch.page(0), kBase);
    EXPECT_EQ(frames_free(), free) << "freed before the flush";
    finish(batch);
    EXPECT_EQ(frames_free(), free + 1);
}

TEST_F(PageMaps, a_shared_frame_loses_one_reference_per_leaf) {
    Frame* frame = frame_alloc().value();
    for (int i = 0; i < 200; ++i) {
        frame_ref(frame);
        map_device(kBase + i * kPageSize, kPageSize, kUserData, false, frame_address(frame));
    }
    unmap(kBase, 150 * kPageSize);
    EXPECT_EQ(frame->references.load(), 51u);
    unmap(kBase, 200 * kPageSize);
    EXPECT_EQ(frame->references.load(), 1u);
    frame_unref(frame);
}

TEST_F(PageMaps, unmap_touches_nothing_outside_its_range) {
    map_device(4 * kMiB - 4 * kPageSize, 8 * kPageSize);
    unmap(4 * kMiB - 2 * kPageSize, 4 * kPageSize);
    for (int i = -4; i < 4; ++i)
        EXPECT_EQ(physical(4 * kMiB + i * kPageSize) != 0, i < -2 || i >= 2) << i;
}

TEST_F(PageMaps, partial_unmap_splits_a_large_leaf) {
    map_device(2 * kMiB, 2 * kMiB, kUserData | kPageExecute, true);
    unmap(2 * kMiB + 5 * kPageSize, kPageSize);
    for (int i : {0, 4, 6, 511})
        EXPECT_EQ(physical(2 * kMiB + i * kPageSize), host::kDevice + i * kPageSize) << i;
    EXPECT_EQ(physical(2 * kMiB + 5 * kPageSize), 0u);
    EXPECT_EQ(host::raw_entry(map, 2 * kMiB),
              host::kDevice | pte::kPresent | pte::kWrite | pte::kUser);
}

TEST_F(PageMaps, partial_protect_splits_a_gigabyte_leaf_twice) {
    map_device(kGiB, kGiB, kUserData, true);
    protect(kGiB + 3 * kPageSize, kPageSize, kPageUser);
    EXPECT_EQ(page_map_translate(map, kGiB)->page_size, kPageSize);
    EXPECT_EQ(page_map_translate(map, kGiB + 2 * kMiB)->page_size, 2 * kMiB);
    EXPECT_EQ(physical(kGiB + 600 * kMiB + 7), host::kDevice + 600 * kMiB + 7);
    EXPECT_EQ(host::raw_entry(map, kGiB + 3 * kPageSize) & pte::kWrite, 0u);
    EXPECT_NE(host::raw_entry(map, kGiB + 4 * kPageSize) & pte::kWrite, 0u);
}

TEST_F(PageMaps, a_split_without_memory_removes_nothing) {
    map_device(2 * kMiB, 2 * kMiB, kUserData, true);
    TlbBatch batch;
    host::Shortage shortage(0);
    Result<void> result = page_map_unmap(map, 3 * kMiB, kPageSize, batch);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().number(), ENOMEM);
    EXPECT_EQ(physical(3 * kMiB), host::kDevice + kMiB);
    finish(batch);
}

TEST_F(PageMaps, protect_keeps_cow_pages_read_only_and_flushes) {
    map_device(kBase, kPageSize, kPageUser | kPageCow);
    map_device(kBase + kPageSize, kPageSize, kPageUser | kPageWrite | kPageShared);
    protect(kBase, 2 * kPageSize, kUserData | kPageExecute);
    uint64_t cow = host::raw_entry(map, kBase);
    EXPECT_EQ(cow & pte::kWrite, 0u) << "a COW page became writable";
    EXPECT_NE(cow & kPageCow, 0u);
    EXPECT_EQ(cow & pte::kNoExecute, 0u);
    uint64_t shared = host::raw_entry(map, kBase + kPageSize);
    EXPECT_NE(shared & pte::kWrite, 0u);
    EXPECT_NE(shared & kPageShared, 0u);
    host::forget_flushes();
    protect(kBase + kPageSize, kPageSize, kPageUser);
    EXPECT_TRUE(host::was_flushed(kBase + kPageSize));
    EXPECT_EQ(physical(kBase + kPageSize), host::kDevice);
}

TEST_F(PageMaps, no_access_keeps_the_page_out_of_reach) {
    Frame* frame = frame_alloc().value();
    map_device(kBase, kPageSize, kUserData, false, frame_address(frame));
    protect(kBase, kPageSize, kPageUser | kPageNoAccess);
    EXPECT_EQ(host::raw_entry(map, kBase) & pte::kPresent, 0u);
    EXPECT_FALSE(page_map_translate(map, kBase).has_value());
    EXPECT_EQ(map_error(kBase, host::kDevice, kPageSize), EEXIST);
    protect(kBase, kPageSize, kUserData);
    EXPECT_EQ(physical(kBase), frame_address(frame));
    EXPECT_EQ(host::raw_entry(map, kBase) & kPageNoAccess, 0u);
    protect(kBase, kPageSize, kPageUser | kPageNoAccess);
    // destroy() must find it: the leak check at the end says so.
}

TEST_F(PageMaps, replace_swaps_the_frame_and_reports_the_old_one) {
    Frame* old = frame_alloc().value();
    Frame* fresh = frame_alloc().value();
    frame_ref(old);
    map_device(kBase, kPageSize, kPageUser | kPageCow, false, frame_address(old));
    TlbBatch batch;
    page_map_replace(map, kBase, frame_address(fresh), kUserData, batch);
    EXPECT_EQ(batch.page_count(), 1u);
    EXPECT_EQ(old->references.load(), 2u) << "dropped before the flush";
    finish(batch);
    EXPECT_EQ(old->references.load(), 1u);
    EXPECT_EQ(fresh->references.load(), 1u);
    EXPECT_EQ(host::raw_entry(map, kBase) & (kPageCow | pte::kWrite), uint64_t{pte::kWrite});
    page_map_replace(map, kBase, frame_address(fresh), kPageUser, batch);
    finish(batch);
    EXPECT_EQ(fresh->references.load(), 1u) << "the same frame keeps its reference";
    frame_unref(old);
}

TEST_F(PageMaps, visit_goes_in_order_across_tables_and_skips_holes) {
    std::vector<VirtAddr> expected = {kBase, 2 * kMiB * 3 - kPageSize, 2 * kMiB * 3,
                                      kGiB - kPageSize, kGiB, 5ull * kGiB,
                                      (512ull << 30) - kPageSize, 512ull << 30};
    for (VirtAddr address : expected) map_device(address, kPageSize);
    std::vector<VirtAddr> seen;
    auto note = [](void* list, VirtAddr address, uint64_t&) {
        static_cast<std::vector<VirtAddr>*>(list)->push_back(address);
    };
    page_map_visit(map, 0, kUserTop, note, &seen);
    EXPECT_EQ(seen, expected);
    seen.clear();
    page_map_visit(map, kBase + kPageSize, kGiB - kBase - kPageSize, note, &seen);
    EXPECT_EQ(seen, std::vector<VirtAddr>(expected.begin() + 1, expected.begin() + 4));
}

TEST_F(PageMaps, visit_may_change_entries) {
    map_device(kBase, 3 * kPageSize);
    page_map_visit(
        map, kBase, kPageSize,
        [](void*, VirtAddr, uint64_t& entry) { entry &= ~pte::kWrite; }, nullptr);
    EXPECT_EQ(host::raw_entry(map, kBase) & pte::kWrite, 0u);
    EXPECT_NE(host::raw_entry(map, kBase + kPageSize) & pte::kWrite, 0u);
}

TEST_F(PageMaps, new_maps_share_the_kernel_half) {
    PageMap kernel = map;
    auto* root = static_cast<uint64_t*>(phys_to_virt(kernel.root));
    root[300] = 0x1234000 | pte::kPresent;
    PageMap user;
    ASSERT_TRUE(page_map_create(user, &kernel).ok());
    auto* copy = static_cast<uint64_t*>(phys_to_virt(user.root));
    EXPECT_EQ(copy[300], root[300]);
    for (int i = 0; i < 256; ++i) EXPECT_EQ(copy[i], 0u);
    page_map_destroy(user);
    EXPECT_EQ(root[300], 0x1234000 | pte::kPresent);
    root[300] = 0;
}

TEST_F(PageMaps, destroy_drops_every_leaf_and_table) {
    for (VirtAddr address : {VirtAddr{kUserBottom}, kBase, VirtAddr{7ull << 39}, kUserTop - kPageSize}) {
        Frame* frame = frame_alloc().value();
        map_device(address, kPageSize, kUserData, false, frame_address(frame));
    }
    // TearDown destroys the map and counts.
}

}  // namespace
