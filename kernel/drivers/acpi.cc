// ACPI: RSDP, RSDT or XSDT, MADT, FADT.
//
// Tables are firmware's memory: they are mapped where they lie, checked (length, checksum)
// and read through memcpy. A table that is wrong is logged and left out.
// Source: ACPI specification 6.4, chapter 5.2.
#include "kernel/drivers/drivers.h"

#include "kernel/arch/apic.h"
#include "kernel/arch/paging.h"
#include "kernel/arch/panic.h"
#include "kernel/base/log.h"
#include "kernel/base/runtime.h"

namespace {

using Bytes = std::span<const uint8_t>;

// Offsets of what is read. Every table but the RSDP begins with signature, length, checksum.
constexpr size_t kRsdpRevision = 15, kRsdpRsdt = 16, kRsdpXsdt = 24;
constexpr size_t kRsdp1Size = 20, kRsdpSize = 36;
constexpr size_t kTableLength = 4, kHeaderSize = 36;

template <typename T>
T read_at(Bytes bytes, size_t offset) {
    T value{};
    if (offset <= bytes.size() && bytes.size() - offset >= sizeof value)
        memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

bool sums_to_zero(Bytes bytes) {
    uint8_t sum = 0;
    for (uint8_t byte : bytes) sum = static_cast<uint8_t>(sum + byte);
    return sum == 0;
}

Bytes map(PhysAddr address, size_t size) {
    return {static_cast<const uint8_t*>(map_mmio(address, size)), size};
}

// ---- Finding tables ----

// Where the loader says. The BIOS area is not searched: every loader that we know does.
Bytes find_rsdp(const BootInfo& info) {
    if (!info.has_rsdp_copy && info.rsdp == 0) return {};
    Bytes rsdp = info.has_rsdp_copy ? info.rsdp_copy : map(info.rsdp, kRsdpSize);
    bool valid = memcmp(rsdp.data(), "RSD PTR ", 8) == 0 && sums_to_zero(rsdp.first(kRsdp1Size));
    return valid ? rsdp : Bytes();
}

// The table at `address` if it has this signature and a right checksum, or nothing.
Bytes map_table(PhysAddr address, const char* signature) {
    if (address == 0) return {};
    constexpr uint32_t kMaxTable = 4 * 1024 * 1024;
    Bytes header = map(address, kHeaderSize);
    auto length = read_at<uint32_t>(header, kTableLength);
    if (memcmp(header.data(), signature, 4) != 0 || length < kHeaderSize || length > kMaxTable)
        return {};
    Bytes table = map(address, length);
    if (sums_to_zero(table)) return table;
    log_warning("acpi: checksum of table %s is wrong", signature);
    return {};
}

// Looks through the root table for a signature.
Bytes find_table(Bytes root, size_t pointer_size, const char* signature) {
    for (size_t at = kHeaderSize; at + pointer_size <= root.size();
         at += pointer_size) {
        Bytes table = map_table(pointer_size == 8 ? read_at<uint64_t>(root, at)
                                                  : read_at<uint32_t>(root, at), signature);
        if (!table.empty()) return table;
    }
    return {};
}

// ---- MADT (5.2.12) ----

void add_cpu(uint8_t apic_id, uint32_t flags) {
    constexpr uint32_t kEnabled = 1 << 0;
    if ((flags & kEnabled) == 0) return;
    if (topology.cpu_count == kMaxCpus)
        return log_warning("acpi: CPU with APIC id %u is ignored", apic_id);
    topology.apic_ids[topology.cpu_count++] = apic_id;
}

void override_isa(Bytes entry) {
    auto irq = read_at<uint8_t>(entry, 3);
    if (irq >= kIsaIrqs) return;
    auto flags = read_at<uint16_t>(entry, 8);
    constexpr unsigned kActiveLow = 3, kLevel = 3;  // 0: as the bus has it, for ISA 1, 1
    topology.isa[irq] = {read_at<uint32_t>(entry, 4), (flags & 3) == kActiveLow,
                         (flags >> 2 & 3) == kLevel};
}

// More I/O APICs than the first, whose lines are global interrupts from 0 on, and x2APIC
// entries, for APIC ids from 255 on, are for larger machines.
void read_madt(Bytes madt) {
    enum Type : uint8_t { kLocalApic, kIoApic, kOverride };
    size_t at = 44;
    while (at + 2 <= madt.size()) {
        uint8_t length = madt[at + 1];
        if (length < 2 || length > madt.size() - at) break;
        Bytes entry = madt.subspan(at, length);
        if (entry[0] == kLocalApic)
            add_cpu(read_at<uint8_t>(entry, 3), read_at<uint32_t>(entry, 4));
        else if (entry[0] == kIoApic && read_at<uint32_t>(entry, 8) == 0)
            topology.io_apic = read_at<uint32_t>(entry, 4);
        else if (entry[0] == kOverride)
            override_isa(entry);
        at += length;
    }
}

}  // namespace

void acpi_init() {
    topology.io_apic = 0xfec00000;
    for (uint32_t irq = 0; irq < kIsaIrqs; irq++) topology.isa[irq].line = irq;
    Bytes rsdp = find_rsdp(boot_info);
    if (rsdp.empty()) return log_warning("acpi: no RSDP; one CPU, default interrupt routes");
    auto xsdt = rsdp[kRsdpRevision] >= 2 ? read_at<uint64_t>(rsdp, kRsdpXsdt) : 0;
    size_t pointer_size = xsdt != 0 ? 8 : 4;
    Bytes root = xsdt != 0 ? map_table(xsdt, "XSDT")
                           : map_table(read_at<uint32_t>(rsdp, kRsdpRsdt), "RSDT");
    Bytes madt = find_table(root, pointer_size, "APIC");
    if (madt.empty()) log_warning("acpi: no MADT");
    else read_madt(madt);
    acpi_power_port = read_at<uint16_t>(find_table(root, pointer_size, "FACP"), 64);
    log_info("acpi: %zu CPUs", topology.cpu_count);
}
