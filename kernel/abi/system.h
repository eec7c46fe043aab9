// Structures of system calls about time, resources and the machine (Linux x86-64).
#pragma once
#include <cstdint>

namespace abi {
struct TimeVal {  // struct timeval
    int64_t seconds, microseconds;
};
struct IntervalTimer {  // struct itimerval
    TimeVal interval, value;
};
struct ProcessTicks {  // struct tms, in clock ticks
    int64_t user, system, children_user, children_system;
};
struct ResourceUsage {  // struct rusage
    TimeVal user, system;
    int64_t max_resident_kib, unused1[3], minor_faults, major_faults, unused2[6];
    int64_t voluntary_switches, involuntary_switches;
};
static_assert(sizeof(ResourceUsage) == 144);
struct UnameText {  // struct new_utsname
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};
struct SystemInfo {  // struct sysinfo
    int64_t uptime;
    uint64_t loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t processes, padding1;
    uint32_t padding2;
    uint64_t total_high, free_high;
    uint32_t unit, padding3;
};
static_assert(sizeof(SystemInfo) == 112);

inline constexpr uint32_t kRebootMagic1 = 0xfee1dead;
inline constexpr uint32_t kRebootMagic2[] = {0x28121969, 0x05121996, 0x16041998, 0x20112000};
inline constexpr uint32_t kRebootRestart = 0x01234567, kRebootHalt = 0xcdef0123,
                          kRebootPowerOff = 0x4321fedc;
}  // namespace abi
