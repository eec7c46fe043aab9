// The argument strings of an execve, copied out of a memory that an attacker arranged:
// nothing is written outside the pages, the limit holds, and what is packed is what was
// there.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernel/task/exec_args.h"

namespace {

constexpr uint64_t kBase = 0x10000;  // where the fuzzer's bytes lie in "user memory"

void must(bool held) {
    if (!held) abort();
}

class Memory : public ArgSource {
  public:
    Memory(const uint8_t* data, size_t size, size_t max_pages)
        : data_(data), size_(size), pages_left_(max_pages) {}
    ~Memory() { must(live_pages_ == 0); }

    Result<uint64_t> fetch_pointer(uint64_t address) override {
        uint64_t value;
        if (address < kBase || address - kBase > size_ || size_ - (address - kBase) < 8)
            return Error(EFAULT);
        memcpy(&value, data_ + (address - kBase), sizeof value);
        // Small numbers become addresses of ours, so that most inputs have strings.
        return value == 0 ? 0 : kBase + value % (size_ + 64);
    }

    Result<size_t> fetch_string(char* to, uint64_t address, size_t size) override {
        must(size > 0);
        size_t done = 0;
        while (done < size) {
            if (address + done < kBase || address + done - kBase >= size_) return Error(EFAULT);
            to[done] = static_cast<char>(data_[address + done - kBase]);
            if (to[done++] == 0) break;
        }
        return done;
    }

    char* new_page() override {
        if (pages_left_ == 0) return nullptr;
        pages_left_--;
        live_pages_++;
        return static_cast<char*>(aligned_alloc(kPageSize, kPageSize));
    }
    void free_page(char* page) override {
        live_pages_--;
        free(page);
    }

  private:
    const uint8_t* data_;
    size_t size_;
    size_t pages_left_;
    size_t live_pages_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 16) return 0;
    uint64_t limit = (data[0] | data[1] << 8) * 4ull;
    Memory memory(data + 4, size - 4, data[2]);
    PackedArgs args(memory, limit);
    std::string first(data[3], 'x');
    if (data[3] != 0 && !args.add(first).ok()) return 0;
    Result<uint32_t> added = args.add_array(kBase, data[3] % 3);
    must(args.bytes() + args.count() * 8ull <= PackedArgs::kMaxBytes);
    must(args.bytes() + args.count() * 8ull <= limit || args.count() == 0);
    if (!added.ok()) return 0;
    // Put together, the pieces are strings with their NULs, one at each offset.
    std::string packed;
    while (packed.size() < args.bytes()) packed += args.piece(packed.size());
    must(packed.size() == args.bytes());
    for (uint32_t i = 0; i < args.count(); i++) {
        must(args.offset(i) < packed.size());
        must(args.offset(i) == 0 || packed[args.offset(i) - 1] == 0);
    }
    if (data[3] != 0) must(packed.compare(0, first.size(), first) == 0 && packed[first.size()] == 0);
    return 0;
}
