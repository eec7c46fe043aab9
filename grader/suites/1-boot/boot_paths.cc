// Lab 1, the ways into the kernel: PVH, GRUB, and GRUB on Bochs; machines of several
// sizes; loaders that promise nothing. A boot counts when a program at its end has worked on
// data that only came through whole if the memory map, the module and the UART did.
#include "grader/suites/suite.h"

namespace {

const uint64_t kSeed = chosen("boot_seed", 1, 1ull << 62);
const std::string kBlob = Sequence(kSeed).bytes(chosen("boot_blob", 3000000, 4000000));
const std::string kSmallBlob = Sequence(kSeed ^ 2).bytes(chosen("boot_small", 50000, 90000));

std::string hash_text(const std::string& bytes) { return hex(hash_of(bytes)); }

// What /tests/1-boot/memory reported, against the machine that the host built.
void judge_memory(const Guest& guest, uint64_t mib, unsigned cpus, const std::string& blob) {
    guest.expect_checks();
    EXPECT_EQ(guest.text("blob_hash"), hash_text(blob))
        << "a file of the initramfs (the boot module) is not what the host put there";
    EXPECT_EQ(guest.text("blob_hash_after"), hash_text(blob))
        << "the file changed while the memory was in use: its frames were given out twice";
    uint64_t total = guest.number("mem_total");
    EXPECT_LE(total, mib * 1024) << "MemTotal in KiB: more than the machine of " << mib
                                 << " MiB has; is something rounded outward or counted twice?";
    EXPECT_GE(total, mib * 1024 * 85 / 100 - 8192)
        << "MemTotal in KiB: the machine has " << mib << " MiB; parts of the map are lost";
    EXPECT_EQ(guest.number("cpus"), cpus) << "CPUs in use";
}

std::string without_cr(const std::string& text) {
    std::string clean;
    for (char c : text) {
        if (c != '\r') clean += c;
    }
    return clean;
}

// Printable lines of different lengths.
std::string text_of(uint64_t seed, size_t size) {
    Sequence sequence(seed);
    std::string text;
    while (text.size() < size) {
        for (uint64_t left = 1 + sequence.below(120); left > 0; --left) {
            text += static_cast<char>('!' + sequence.below(94));
        }
        text += '\n';
    }
    return text;
}

const std::string kText = text_of(kSeed ^ 3, 20000);
const std::string kWord = "host" + std::to_string(kSeed);

}  // namespace

GUEST_TEST(Paths, pvh, .run = "/tests/1-boot/memory", .cpus = 4,
           .data = {{"blob", kBlob}, {"fill_percent", "10"}}) {
    judge_memory(guest, 256, 4, kBlob);
}

GUEST_TEST(Paths, grub, .run = "/tests/1-boot/memory", .cpus = 4,
           .data = {{"blob", kBlob}, {"fill_percent", "30"}}, .limit = 30, .memory_mib = 200,
           .boot = MachineSpec::BootPath::Grub,
           .kernel_arguments = "maxcpus=3 -- " + kWord) {
    judge_memory(guest, 200, 3, kBlob);
    EXPECT_NE(guest.console.find(kWord), std::string::npos)
        << "the kernel's log does not show the command line's last word, " << kWord;
}

GUEST_TEST(Paths, all_free_memory_is_usable, .run = "/tests/1-boot/memory", .cpus = 2,
           .data = {{"blob", kBlob}, {"fill_percent", "90"}}, .limit = 40, .memory_mib = 64) {
    judge_memory(guest, 64, 2, kBlob);
}

// More than 4 GiB: RAM continues above the hole below 4 GiB.
GUEST_TEST(Paths, memory_above_4_gib, .run = "/tests/1-boot/memory",
           .data = {{"blob", kSmallBlob}}, .limit = 40, .memory_mib = 5000) {
    judge_memory(guest, 5000, 1, kSmallBlob);
}

// A CPU without SMEP, SMAP, FSGSBASE, XSAVE.
GUEST_TEST(Paths, plain_cpu, .run = "/tests/1-boot/memory", .cpus = 2,
           .data = {{"blob", kSmallBlob}}, .cpu_model = "qemu64") {
    judge_memory(guest, 256, 2, kSmallBlob);
}

// ---- Bochs: a UART that is as slow as its baud rate says ----
// On the serial console alone: scrolling a screen of pixels costs this machine seconds.

GUEST_TEST(Paths, bochs, .run = "/tests/1-boot/memory", .machine = "bochs-smp",
           .data = {{"blob", kSmallBlob}}, .limit = 150, .memory_mib = 128,
           .kernel_arguments = "console=serial") {
    judge_memory(guest, 128, 1, kSmallBlob);
}

GUEST_TEST(Paths, uart_loses_nothing, .run = "cat /run/mello/data/text >/dev/console; "
                                             "cat /run/mello/data/text",
           .machine = "bochs-smp", .data = {{"text", kText}}, .limit = 150,
           .memory_mib = 128, .kernel_arguments = "console=serial") {
    EXPECT_EQ(guest.out.size(), kText.size()) << "bytes through COM2; fewer: written while the "
                                                 "transmitter was full";
    EXPECT_EQ(hash_text(guest.out), hash_text(kText)) << "the text through COM2 is damaged";
    EXPECT_NE(without_cr(guest.console).find(kText), std::string::npos)
        << "the text through the console on COM1 is damaged or incomplete";
}
