// mello flame: where a command's time goes in the guest, as a picture.
//
// Two passes. In the guest, prof samples kernel and programs while the command runs and writes
// folded stacks, which are text that any tool can read, sum up or compare; here they become an
// SVG picture. What the command prints goes to stderr, so that stdout of the run is the stacks.
#include <cstdio>

#include "grader/cli/commands.h"
#include "grader/lib/flame.h"
#include "grader/lib/guest.h"

int flame_graph(const RunOptions& options) {
    const fs::path folder = "build/flame";
    fs::create_directories(folder);
    GuestSpec spec;
    spec.machine = options.machine;
    spec.command = "prof record -o /tmp/folded sh -c " + shell_quote(options.command) +
                   " >&2; status=$?; cat /tmp/folded; exit $status";
    spec.extra = options.extra;
    spec.limit = options.timeout;
    GuestEvents events;
    events.on_stderr = [](std::string_view text) { fwrite(text.data(), 1, text.size(), stderr); };
    GuestResult result = run_guest(spec, events);
    if (result.outcome != Outcome::Exited) {
        fprintf(stderr, "mello: %s: %s", outcome_name(result.outcome), result.diagnosis.c_str());
        return result.outcome == Outcome::Infra ? kExitInfra : kExitCrashed;
    }
    write_file(folder / "stacks.folded", result.out);
    FlameFrame root = flame_tree(result.out);
    write_file(folder / "flame.svg", flame_svg(root, options.command));
    fprintf(stderr, "mello: %lu samples, %.1f %% with a name: build/flame/stacks.folded, "
                    "build/flame/flame.svg\n",
            root.samples, flame_named_percent(result.out));
    return root.samples == 0 ? 1 : result.status;
}
