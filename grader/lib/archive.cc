#include "grader/lib/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

struct Archive::State {
    archive* writer;
    std::string bytes;
    std::set<std::string> folders;
    int64_t inode = 0x6d000000;  // apart from those of the archive before ours
};

namespace {

la_ssize_t append(archive*, void* data, const void* buffer, size_t size) {
    static_cast<std::string*>(data)->append(static_cast<const char*>(buffer), size);
    return static_cast<la_ssize_t>(size);
}

}  // namespace

Archive::Archive() : state_(new State) {
    state_->writer = archive_write_new();
    archive_write_set_format_cpio_newc(state_->writer);
    archive_write_set_bytes_per_block(state_->writer, 0);
    if (archive_write_open(state_->writer, &state_->bytes, nullptr, append, nullptr) !=
        ARCHIVE_OK) {
        throw InfraError("libarchive cannot write a newc archive");
    }
}

Archive::~Archive() {
    if (state_->writer != nullptr) archive_write_free(state_->writer);
    delete state_;
}

namespace {

void put(archive* writer, const std::string& path, int type, int mode, int64_t inode,
         std::string_view content, const char* link) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, path.c_str());
    archive_entry_set_filetype(entry, static_cast<unsigned>(type));
    archive_entry_set_perm(entry, static_cast<mode_t>(mode));
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_mtime(entry, 0, 0);
    archive_entry_set_nlink(entry, 1);
    archive_entry_set_ino64(entry, inode);
    if (link != nullptr) archive_entry_set_symlink(entry, link);
    bool ok = archive_write_header(writer, entry) == ARCHIVE_OK &&
              archive_write_data(writer, content.data(), content.size()) ==
                  static_cast<la_ssize_t>(content.size());
    archive_entry_free(entry);
    if (!ok) throw InfraError("cannot archive " + path + ": " + archive_error_string(writer));
}

}  // namespace

void Archive::add_file(const std::string& path, std::string_view content, int mode) {
    for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
        std::string folder = path.substr(0, slash);
        if (state_->folders.insert(folder).second) {
            put(state_->writer, folder, AE_IFDIR, 0755, state_->inode++, "", nullptr);
        }
    }
    put(state_->writer, path, AE_IFREG, mode, state_->inode++, content, nullptr);
}

void Archive::add_tree(const fs::path& folder) {
    if (!fs::is_directory(folder)) throw InfraError(folder.string() + " is not a folder");
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
        struct stat info;
        if (lstat(path.c_str(), &info) != 0) throw InfraError("cannot stat " + path.string());
        std::string name = path.lexically_relative(folder).string();
        int mode = static_cast<int>(info.st_mode & 07777);
        int type = static_cast<int>(info.st_mode & S_IFMT);
        if (S_ISLNK(info.st_mode)) {
            std::string target = fs::read_symlink(path).string();
            put(state_->writer, name, type, 0777, state_->inode++, "", target.c_str());
        } else if (S_ISREG(info.st_mode)) {
            put(state_->writer, name, type, mode, state_->inode++, read_file(path), nullptr);
        } else if (S_ISDIR(info.st_mode)) {
            state_->folders.insert(name);
            put(state_->writer, name, type, mode, state_->inode++, "", nullptr);
        }
    }
}

std::string Archive::finish() {
    archive_write_close(state_->writer);
    archive_write_free(state_->writer);
    state_->writer = nullptr;
    std::string bytes = std::move(state_->bytes);
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return bytes;
}

void write_initramfs(const fs::path& output, const fs::path& base, const fs::path& extra,
                     Archive& run_files) {
    std::string bytes = read_file(base);
    bytes.resize((bytes.size() + 3) / 4 * 4);
    if (!extra.empty()) {
        Archive overlay;
        overlay.add_tree(extra);
        bytes += overlay.finish();
    }
    bytes += run_files.finish();
    write_file(output, bytes);
}
