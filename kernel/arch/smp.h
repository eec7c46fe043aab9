// Starting the other CPUs (Intel SDM vol. 3, 8.4: INIT, SIPI, SIPI).
#pragma once
#include <cstdint>

// Starts every CPU that the MADT lists, up to kMaxCpus or the command line's maxcpus; each
// runs `entry` on its idle stack with its descriptors, features and APIC set up. Returns when
// all that answered are online; one that does not answer within 1 s of TSC time is logged
// and left out.
void smp_start(uint32_t max_cpus, void (*entry)());
