// Lab 3, user_copy.S on the host: SIGSEGV plays the page fault, and its handler the part of
// the kernel that looks the instruction up in the fix-up table.
//
// Every test runs twice, for loops and for REP MOVSQ (user_copy_rep).
#include <elf.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "kernel/arch/traps.h"
#include "kernel/mm/user_access.h"

uint8_t user_copy_smap;
uint8_t user_copy_rep;

namespace {

// The section .fixups of this program, from its file: the linker defines the bounds of
// sections with C names only. The program is linked at fixed addresses.
std::vector<Fixup> find_fixups() {
    std::ifstream stream("/proc/self/exe", std::ios::binary);
    std::string file((std::istreambuf_iterator<char>(stream)), {});
    Elf64_Ehdr header;
    memcpy(&header, file.data(), sizeof header);
    auto section = [&](size_t index) {
        Elf64_Shdr result;
        memcpy(&result, file.data() + header.e_shoff + index * sizeof result, sizeof result);
        return result;
    };
    const char* names = file.data() + section(header.e_shstrndx).sh_offset;
    for (size_t i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr found = section(i);
        if (strcmp(names + found.sh_name, ".fixups") != 0) continue;
        std::vector<Fixup> result(found.sh_size / sizeof(Fixup));
        memcpy(result.data(), file.data() + found.sh_offset, found.sh_size);
        return result;
    }
    return {};
}

std::vector<Fixup> fixups;

void on_fault(int, siginfo_t* info, void* context) {
    auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    for (const Fixup& fixup : fixups) {
        if (fixup.fault_rip != static_cast<uint64_t>(rip)) continue;
        rip = static_cast<greg_t>(fixup.resume_rip);
        return;
    }
    char text[200];
    int size = snprintf(text, sizeof text,
                        "panic: the instruction at %#llx faults on address %p and has no entry "
                        "in .fixups\n",
                        static_cast<unsigned long long>(rip), info->si_addr);
    if (write(2, text, static_cast<size_t>(size)) < 0) _exit(2);
    _exit(1);
}

// A buffer with guard bytes around what the copy may write.
struct Buffer {
    explicit Buffer(size_t size) : bytes(size + 128, '#'), at(bytes.data() + 64) {}
    bool guards_hold(size_t size) const {
        return std::string(at - 64, 64) == std::string(64, '#') &&
               std::string(at + size, 64) == std::string(64, '#');
    }
    std::vector<char> bytes;
    char* at;
};

class UserCopy : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        fixups = find_fixups();
        struct sigaction action {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, nullptr);
    }
    void SetUp() override {
        // Readable memory that ends at an inaccessible page.
        memory = static_cast<char*>(mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        end = memory + 2 * 4096;
        mprotect(end, 4096, PROT_NONE);
        for (char* p = memory; p < end; ++p) *p = static_cast<char>(1 + (p - memory) % 251);
    }
    void TearDown() override { munmap(memory, 3 * 4096); }
    static VirtAddr address(const char* p) { return reinterpret_cast<VirtAddr>(p); }
    char* memory;
    char* end;
};

const char* kind() { return user_copy_rep != 0 ? "by REP MOVSQ" : "by loops"; }

// Runs the body for loops and for REP MOVSQ.
template <typename Body>
void both_kinds(Body&& body) {
    for (uint8_t rep : {0, 1}) {
        user_copy_rep = rep;
        body();
        if (testing::Test::HasFatalFailure()) return;
    }
}

TEST_F(UserCopy, every_size_and_alignment_is_copied_exactly) {
    both_kinds([&] {
        for (size_t size = 0; size < 700; ++size) {
            for (size_t shift : {0, 1, 3, 7, 8, 60}) {
                Buffer buffer(size + shift);
                ASSERT_EQ(user_copy_in(buffer.at + shift, address(memory + shift), size), 0u)
                    << "bytes left of " << size << ", " << kind();
                ASSERT_EQ(memcmp(buffer.at + shift, memory + shift, size), 0)
                    << "wrong bytes, size " << size << ", " << kind();
                ASSERT_TRUE(buffer.guards_hold(size + shift))
                    << "bytes outside the buffer were written, size " << size << ", " << kind();
            }
        }
    });
}

TEST_F(UserCopy, a_faulting_source_gives_the_exact_count) {
    both_kinds([&] {
        for (size_t size = 1; size < 600; ++size) {
            for (size_t readable : {size_t{0}, size_t{1}, size / 3, size / 2, size - 1}) {
                Buffer buffer(size);
                ASSERT_EQ(user_copy_in(buffer.at, address(end - readable), size),
                          size - readable)
                    << "bytes left of " << size << " when " << readable << " can be read, "
                    << kind();
                ASSERT_EQ(memcmp(buffer.at, end - readable, readable), 0)
                    << "what could be read did not arrive, size " << size << ", " << kind();
                ASSERT_TRUE(buffer.guards_hold(size));
            }
        }
    });
}

TEST_F(UserCopy, a_faulting_target_gives_the_exact_count) {
    std::vector<char> from(600, 'x');
    both_kinds([&] {
        for (size_t size = 1; size < 600; ++size) {
            for (size_t writable : {size_t{0}, size_t{1}, size / 3, size / 2, size - 1}) {
                memset(end - writable, '-', writable);
                ASSERT_EQ(user_copy_out(address(end - writable), from.data(), size),
                          size - writable)
                    << "bytes left of " << size << " when " << writable << " can be written, "
                    << kind();
                ASSERT_EQ(memcmp(end - writable, from.data(), writable), 0)
                    << "not all of what fits was written, size " << size << ", " << kind();
            }
        }
    });
}

TEST_F(UserCopy, zeroing_is_exact_with_and_without_a_fault) {
    for (size_t size = 0; size < 600; ++size) {
        for (size_t writable : {size_t{0}, size_t{1}, size / 2, size, size + 9}) {
            memset(end - 1024, '-', 1024);
            size_t expected = size > writable ? size - writable : 0;
            ASSERT_EQ(user_copy_zero(address(end - writable), size), expected)
                << "bytes left of " << size << " when " << writable << " can be written";
            for (size_t i = 0; i < writable; ++i) {
                ASSERT_EQ(*(end - writable + i), i < size ? 0 : '-')
                    << "byte " << i << " of " << size;
            }
            ASSERT_EQ(*(end - writable - 1), '-') << "a byte in front was written";
        }
    }
}

TEST_F(UserCopy, strings_end_at_their_nul) {
    for (size_t length = 0; length < 100; ++length) {
        for (size_t shift = 0; shift < 9; ++shift) {
            char* text = memory + shift;
            memset(memory, 'a' + static_cast<int>(length % 20), 256);
            text[length] = 0;
            Buffer buffer(128);
            uint8_t faulted = 0;
            ASSERT_EQ(user_copy_string(buffer.at, address(text), 128, &faulted), length + 1);
            ASSERT_EQ(faulted, 0);
            ASSERT_STREQ(buffer.at, text);
            ASSERT_EQ(buffer.at[length + 1], '#') << "bytes behind the NUL were written";
        }
    }
}

// Bytes of 0x80 and above, and 0x01 behind a NUL, deceive a careless search by words.
TEST_F(UserCopy, strings_may_hold_any_byte_but_nul) {
    for (size_t length = 0; length < 60; ++length) {
        for (int byte : {0x01, 0x7f, 0x80, 0x81, 0xff}) {
            memset(memory, byte, 256);
            memory[length] = 0;
            Buffer buffer(128);
            uint8_t faulted = 0;
            ASSERT_EQ(user_copy_string(buffer.at, address(memory), 128, &faulted), length + 1)
                << "a string of bytes " << byte;
            ASSERT_EQ(memcmp(buffer.at, memory, length + 1), 0);
        }
    }
}

TEST_F(UserCopy, strings_stop_at_the_size) {
    memset(memory, 'b', 256);
    for (size_t size = 0; size < 64; ++size) {
        Buffer buffer(size);
        uint8_t faulted = 0;
        ASSERT_EQ(user_copy_string(buffer.at, address(memory + 3), size, &faulted), size);
        ASSERT_EQ(faulted, 0);
        ASSERT_TRUE(buffer.guards_hold(size)) << "bytes outside the buffer were written";
    }
}

TEST_F(UserCopy, a_string_at_the_end_of_a_page_does_not_touch_the_next) {
    for (size_t length = 0; length < 40; ++length) {
        char* text = end - length - 1;
        memset(text, 'c', length);
        end[-1] = 0;
        Buffer buffer(128);
        uint8_t faulted = 0;
        ASSERT_EQ(user_copy_string(buffer.at, address(text), 128, &faulted), length + 1);
        ASSERT_EQ(faulted, 0) << "the page behind the NUL was touched";
        end[-1] = 'c';
        ASSERT_EQ(user_copy_string(buffer.at, address(text), 128, &faulted), length + 1);
        ASSERT_EQ(faulted, 1) << "a string without an end";
    }
}

}  // namespace
