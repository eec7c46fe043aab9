// A machine for lab 2's units on the host: RAM is an array, CPUs are Cpu objects that host
// threads stand for, and TLB flushes are written down instead of done.
// How it is compiled: suite.mk.
#pragma once
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <map>
#include <vector>

#include "kernel/arch/cpu.h"
#include "kernel/mm/address_space.h"
#include "kernel/mm/frame.h"
#include "kernel/mm/page_map.h"

namespace host {

inline constexpr PhysAddr kRamStart = 1 << 20;
inline constexpr PhysAddr kRamEnd = 17 << 20;
// Physical addresses without RAM, for mappings that have no frames.
inline constexpr PhysAddr kDevice = 1ull << 32;

// Makes the calling thread CPU `id`.
void become_cpu(uint32_t id);

// What the last shootdowns flushed.
extern std::vector<VirtAddr> flushed_pages;
extern bool flushed_everything;
extern uint32_t shootdowns;
void forget_flushes();
bool was_flushed(VirtAddr page);

// Takes all free frames away, but `left` of them, until it goes out of scope.
class Shortage {
  public:
    explicit Shortage(uint64_t left);
    ~Shortage();

  private:
    std::vector<Frame*> held_;
};

// Counts the free frames before and after each test: what was taken must have come back.
class MachineTest : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    static uint64_t free_frames();

  private:
    uint64_t free_before_ = 0;
};

// The entry of one 4 KiB page as stored; 0 when there is none. Walks the tables itself.
uint64_t raw_entry(const PageMap& map, VirtAddr address, int level = 1);

}  // namespace host
