// Archives in the newc format, which is what the guest unpacks as its initramfs. Several
// archives may follow each other in one file; later entries replace earlier ones. That is
// how a run's command reaches the guest the same way on every boot path.
#pragma once
#include <string>
#include <string_view>

#include "grader/lib/util.h"

class Archive {
  public:
    Archive();
    ~Archive();
    Archive(const Archive&) = delete;
    Archive& operator=(const Archive&) = delete;

    // `path` without leading slash; folders above it are added when they are new.
    void add_file(const std::string& path, std::string_view content, int mode = 0644);
    // Everything below `folder`, with modes and symbolic links kept; owner root, time 0.
    void add_tree(const fs::path& folder);
    // Ends the archive; padded to a multiple of four.
    std::string finish();

  private:
    struct State;
    State* state_;
};

// The initramfs for one run: base, then `extra` (a folder, may be empty) laid over it, then
// the files of the run.
void write_initramfs(const fs::path& output, const fs::path& base, const fs::path& extra,
                     Archive& run_files);
