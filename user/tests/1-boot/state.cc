// Lab 1: stands still while the host looks at the machine (or breaks the kernel under us),
// then proves with host data that it went on: the hash of `small`.
#include "user/tests/lib/check.h"
#include "user/tests/lib/report.h"

int main() {
    wait_for_host();
    std::string_view blob = host_data("small");
    report("blob_hash", "%#lx", hash_bytes(blob.data(), blob.size()));
    check("state.data_is_there", !blob.empty());
    return check_summary("state");
}
