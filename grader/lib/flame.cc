#include "grader/lib/flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "grader/lib/util.h"

namespace {

constexpr double kWidth = 1200, kMargin = 10, kRow = 17, kTop = 40, kLetter = 7;
constexpr double kLeast = 0.33;  // pixels

struct FoldedLine {
    std::vector<std::string> frames;
    uint64_t samples;
};

// False for what is no stack.
bool parse_line(std::string_view line, FoldedLine& out) {
    size_t space = line.rfind(' ');
    if (space == line.npos || space == 0) return false;
    const char* end = line.data() + line.size();
    auto [stop, error] = std::from_chars(line.data() + space + 1, end, out.samples);
    if (error != std::errc() || stop != end) return false;
    out.frames = split(line.substr(0, space), ';');
    return true;
}

template <typename Visit>
void for_each_line(std::string_view folded, Visit visit) {
    FoldedLine parsed;
    for (const std::string& line : split(folded, '\n'))
        if (parse_line(line, parsed)) visit(parsed);
}

std::string escaped(std::string_view text) {
    std::string result;
    for (char c : text) {
        switch (c) {
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '&': result += "&amp;"; break;
            case '"': result += "&quot;"; break;
            default: result += static_cast<unsigned char>(c) < ' ' ? '?' : c;
        }
    }
    return result;
}

// Warm colours, the same for the same name in every picture.
std::string colour_of(std::string_view name) {
    uint32_t hash = 2166136261;
    for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
    return fmt::format("rgb({},{},{})", 205 + hash % 50, 80 + (hash >> 8) % 120, (hash >> 16) % 60);
}

size_t depth_of(const FlameFrame& frame) {
    size_t depth = 0;
    for (const auto& [name, callee] : frame.callees) depth = std::max(depth, depth_of(callee));
    return depth + 1;
}

class Picture {
  public:
    Picture(const FlameFrame& root, std::string_view title)
        : root_(root), rows_(static_cast<double>(depth_of(root))) {
        double height = kTop + rows_ * kRow + kMargin;
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
            "viewBox=\"0 0 {0} {1}\" font-family=\"monospace\" font-size=\"12\">\n"
            "<rect width=\"100%\" height=\"100%\" fill=\"#fffdf5\"/>\n"
            "<text x=\"{2}\" y=\"22\" text-anchor=\"middle\" font-size=\"15\">{3}</text>\n",
            kWidth, height, kWidth / 2, escaped(title));
        draw("all", root, kMargin, 0);
        out_ += "</svg>\n";
    }
    std::string text() && { return std::move(out_); }

  private:
    void draw(const std::string& name, const FlameFrame& frame, double x, double row) {
        double all = static_cast<double>(std::max<uint64_t>(root_.samples, 1));
        double share = static_cast<double>(frame.samples) / all;
        double width = share * (kWidth - 2 * kMargin);
        if (width < kLeast) return;
        double y = kTop + (rows_ - 1 - row) * kRow;
        auto letters = static_cast<size_t>(std::max(0.0, (width - 6) / kLetter));
        std::string label = letters < 3              ? ""
                            : name.size() <= letters ? name
                                                     : name.substr(0, letters - 2) + "..";
        out_ += fmt::format("<g><title>{} ({} samples, {:.2f}%)</title>"
                            "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" "
                            "rx=\"2\" fill=\"{}\" stroke=\"#fffdf5\" stroke-width=\"0.5\"/>",
                            escaped(name), frame.samples, share * 100, x, y, width, kRow - 1,
                            colour_of(name));
        if (!label.empty())
            out_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.1f}\">{}</text>", x + 3, y + 12,
                                escaped(label));
        out_ += "</g>\n";
        for (const auto& [callee_name, callee] : frame.callees) {
            draw(callee_name, callee, x, row + 1);
            x += static_cast<double>(callee.samples) / all * (kWidth - 2 * kMargin);
        }
    }

    const FlameFrame& root_;
    double rows_;
    std::string out_;
};

}  // namespace

FlameFrame flame_tree(std::string_view folded) {
    FlameFrame root;
    for_each_line(folded, [&](const FoldedLine& line) {
        FlameFrame* frame = &root;
        frame->samples += line.samples;
        for (const std::string& name : line.frames) {
            frame = &frame->callees[name];
            frame->samples += line.samples;
        }
    });
    return root;
}

double flame_named_percent(std::string_view folded) {
    uint64_t all = 0, named = 0;
    for_each_line(folded, [&](const FoldedLine& line) {
        const std::string& leaf = line.frames.back();
        all += line.samples;
        if (line.frames.size() > 1 && leaf != "?" && leaf != "[unknown]") named += line.samples;
    });
    return all == 0 ? 0 : 100.0 * static_cast<double>(named) / static_cast<double>(all);
}

std::string flame_svg(const FlameFrame& root, std::string_view title) {
    return Picture(root, title).text();
}
