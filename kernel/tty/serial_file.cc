// /dev/ttyS1..ttyS3: COM2 to COM4 as plain byte channels, on which `make run` and the
// graders receive what programs print. No terminal: nothing is translated or echoed, and
// TCGETS gives ENOTTY, so that C libraries buffer fully.
//
// A port's Mutex makes each write one piece on the line, however many processes write. No
// spin lock is held while user memory is copied: bytes go through a buffer on the stack.
#include "kernel/abi/termios.h"
#include "kernel/drivers/serial.h"
#include "kernel/mm/slab.h"
#include "kernel/tty/tty.h"

namespace {

// Interrupts are off while the port takes one chunk.
constexpr size_t kChunk = 256;

Mutex port_mutexes[kSerialPorts] = {Mutex(LockRank::Terminal), Mutex(LockRank::Terminal),
                                    Mutex(LockRank::Terminal), Mutex(LockRank::Terminal)};

class SerialFile final : public File {
  public:
    SerialFile(Inode& node, uint32_t flags, unsigned port)
        : File(node, flags), port_(port) {}

    // Nothing is received on these ports.
    Result<size_t> read_at(IoBuffer&, uint64_t) override { return 0; }

    Result<size_t> write_at(IoBuffer& buffer, uint64_t) override {
        char chunk[kChunk];
        MutexGuard guard(port_mutexes[port_]);
        while (buffer.remaining() > 0 && !buffer.faulted()) {
            serial_write(port_, chunk, buffer.take(chunk, sizeof chunk));
            maybe_yield();
        }
        return buffer.moved();
    }

  private:
    unsigned port_;
};

}  // namespace

Result<File*> serial_file_open(Inode& node, uint32_t flags) {
    auto port = static_cast<unsigned>(node.attributes.device - kDeviceSerial);
    if (!serial_present(port)) return Error(ENXIO);
    return TRY(make<SerialFile>(node, flags, port));
}
