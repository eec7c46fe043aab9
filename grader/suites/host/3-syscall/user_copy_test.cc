// Lab 3, user_copy.S on the host: SIGSEGV plays the page fault, and its handler the part of
// the kernel that looks the instruction up in the fix-up table.
//
//   g++ -std=c++20 -g -no-pie -I. grader/suites/host/3-syscall/user_copy_test.cc
//       solutions/3-syscall/user_copy.S -lgtest -lgtest_main -pthread
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstring>
#include <vector>

#include "kernel/arch/traps.h"
#include "kernel/mm/user_access.h"

uint8_t user_copy_smap;
uint8_t user_copy_rep;

namespace {

// The section's bounds are found by its name: the linker defines them for C identifiers
// only, so the test reads its own section headers.
std::vector<Fixup> fixups;

void load_fixups() {
    FILE* file = popen("objcopy -O binary --only-section=.fixups /proc/$PPID/exe /dev/stdout",
                       "r");
    Fixup fixup;
    while (fread(&fixup, sizeof(fixup), 1, file) == 1) fixups.push_back(fixup);
    pclose(file);
}

void on_fault(int, siginfo_t*, void* context) {
    auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    for (const Fixup& fixup : fixups) {
        if (fixup.fault_rip != static_cast<uint64_t>(rip)) continue;
        rip = static_cast<greg_t>(fixup.resume_rip);
        return;
    }
    signal(SIGSEGV, SIG_DFL);
}

class UserCopies : public testing::TestWithParam<int> {
  protected:
    static void SetUpTestSuite() {
        if (fixups.empty()) load_fixups();
        struct sigaction action {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, nullptr);
    }
    void SetUp() override {
        user_copy_rep = static_cast<uint8_t>(GetParam());
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

TEST_P(UserCopies, EverySizeAndAlignmentIsCopiedExactly) {
    for (size_t size = 0; size < 700; ++size) {
        for (size_t shift : {0, 1, 3, 7, 8, 60}) {
            Buffer buffer(size + shift);
            ASSERT_EQ(user_copy_in(buffer.at + shift, address(memory + shift), size), 0u);
            ASSERT_EQ(memcmp(buffer.at + shift, memory + shift, size), 0) << size;
            ASSERT_TRUE(buffer.guards_hold(size + shift)) << size;
        }
    }
}

TEST_P(UserCopies, AFaultingSourceGivesTheExactCount) {
    for (size_t size = 1; size < 600; ++size) {
        for (size_t readable : {size_t{0}, size_t{1}, size / 3, size / 2, size - 1}) {
            Buffer buffer(size);
            ASSERT_EQ(user_copy_in(buffer.at, address(end - readable), size), size - readable);
            ASSERT_EQ(memcmp(buffer.at, end - readable, readable), 0);
            ASSERT_TRUE(buffer.guards_hold(size));
        }
    }
}

TEST_P(UserCopies, AFaultingTargetGivesTheExactCount) {
    std::vector<char> from(600, 'x');
    for (size_t size = 1; size < 600; ++size) {
        for (size_t writable : {size_t{0}, size_t{1}, size / 3, size / 2, size - 1}) {
            memset(end - writable, '-', writable);
            ASSERT_EQ(user_copy_out(address(end - writable), from.data(), size),
                      size - writable);
            ASSERT_EQ(memcmp(end - writable, from.data(), writable), 0) << size;
        }
    }
}

TEST_P(UserCopies, ZeroingIsExactWithAndWithoutFault) {
    for (size_t size = 0; size < 600; ++size) {
        for (size_t writable : {size_t{0}, size_t{1}, size / 2, size, size + 9}) {
            memset(end - 1024, '-', 1024);
            size_t expected = size > writable ? size - writable : 0;
            ASSERT_EQ(user_copy_zero(address(end - writable), size), expected);
            for (size_t i = 0; i < writable; ++i)
                ASSERT_EQ(*(end - writable + i), i < size ? 0 : '-') << size;
            ASSERT_EQ(*(end - writable - 1), '-');
        }
    }
}

TEST_P(UserCopies, StringsEndAtTheirNul) {
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

TEST_P(UserCopies, StringsStopAtTheSize) {
    memset(memory, 'b', 256);
    for (size_t size = 0; size < 64; ++size) {
        Buffer buffer(size);
        uint8_t faulted = 0;
        ASSERT_EQ(user_copy_string(buffer.at, address(memory + 3), size, &faulted), size);
        ASSERT_EQ(faulted, 0);
        ASSERT_TRUE(buffer.guards_hold(size));
    }
}

TEST_P(UserCopies, AStringAtTheEndOfAPageDoesNotTouchTheNext) {
    for (size_t length = 0; length < 40; ++length) {
        char* text = end - length - 1;
        memset(text, 'c', length);
        end[-1] = 0;
        Buffer buffer(128);
        uint8_t faulted = 0;
        ASSERT_EQ(user_copy_string(buffer.at, address(text), 128, &faulted), length + 1);
        ASSERT_EQ(faulted, 0);
        end[-1] = 'c';
        ASSERT_EQ(user_copy_string(buffer.at, address(text), 128, &faulted), length + 1);
        ASSERT_EQ(faulted, 1) << "a string without an end";
    }
}

INSTANTIATE_TEST_SUITE_P(LoopsAndRep, UserCopies, testing::Values(0, 1));

}  // namespace
