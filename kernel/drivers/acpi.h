// ACPI tables: what the kernel needs of them, read once at boot.
#pragma once
// Finds the tables by boot_info's RSDP or the BIOS area, fills `topology` from the MADT
// (kernel/arch/topology.h) and tells power.h how to power off. Without usable tables the
// topology has the defaults. After kernel_space_init, before apic_init.
void acpi_init();
