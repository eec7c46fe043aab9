// Folded stacks, as `prof record` and other profilers write them, and their picture.
#pragma once
#include <map>
#include <string>
#include <string_view>

// A function in its place: called by those above it in the tree. Widths are samples.
struct FlameFrame {
    uint64_t samples = 0;  // in it or in what it called
    std::map<std::string, FlameFrame> callees;
};

// Lines "outermost;...;innermost N"; others are passed over.
FlameFrame flame_tree(std::string_view folded);
// How many of the samples have a name for the innermost function, in percent; 0 of none.
double flame_named_percent(std::string_view folded);
// An SVG picture: each frame as wide as its samples, its callees on top of it, with its name and
// share as a tooltip. Frames narrower than a third of a pixel are left out.
std::string flame_svg(const FlameFrame& root, std::string_view title);
