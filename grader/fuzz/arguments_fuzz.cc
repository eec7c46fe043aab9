// The argument strings of an execve, copied out of a memory that an attacker arranged:
// nothing is written outside the buffers, the limit holds, and what is packed is what was
// there.
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernel/mm/user_access.h"
#include "kernel/task/program.h"

namespace {

constexpr uint64_t kBase = 0x10000;  // where the fuzzer's bytes lie in "user memory"
const uint8_t* memory;
size_t memory_size;

void must(bool held) {
    if (!held) abort();
}

}  // namespace

Result<void> copy_from_user(void* to, VirtAddr from, size_t size) {
    uint64_t value;
    must(size == sizeof value);
    if (from < kBase || from - kBase > memory_size || memory_size - (from - kBase) < size)
        return Error(EFAULT);
    memcpy(&value, memory + (from - kBase), size);
    // Small numbers become addresses of ours, so that most inputs have strings.
    if (value != 0) value = kBase + value % (memory_size + 64);
    memcpy(to, &value, size);
    return {};
}

size_t user_copy_string(char* to, VirtAddr from, size_t size, uint8_t* faulted) {
    must(size > 0);
    size_t done = 0;
    while (done < size) {
        if (from + done < kBase || from + done - kBase >= memory_size) {
            *faulted = 1;
            break;
        }
        to[done] = static_cast<char>(memory[from + done - kBase]);
        if (to[done++] == 0) break;
    }
    return done;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 16) return 0;
    uint64_t limit = (data[0] | data[1] << 8) * 4ull;
    memory = data + 4;
    memory_size = size - 4;
    PackedArgs args(limit);
    std::string first(data[3], 'x');
    if (data[3] != 0 && !args.add(first).ok()) return 0;
    Result<uint32_t> added = args.add_array(kBase, data[3] % 3);
    uint64_t bytes = args.strings().size() + args.word_count() * 8;
    must(bytes <= PackedArgs::kMaxBytes && bytes <= limit);
    if (!added.ok()) return 0;
    // The packed bytes are strings with their NULs, one at each word.
    std::string_view packed = args.strings();
    must(packed.empty() || packed.back() == 0);
    must(args.word_count() == added.value() + (data[3] != 0 ? 1 : 0));
    for (uint64_t i = 0; i < args.word_count(); i++) {
        uint64_t offset = args.words()[i];
        must(offset < packed.size());
        must(offset == 0 ? i == 0 : packed[offset - 1] == 0);
    }
    if (data[3] != 0) must(packed.substr(0, first.size()) == first && packed[first.size()] == 0);
    return 0;
}
