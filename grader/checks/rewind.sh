#!/bin/bash
# The worked example of `make rewind`: a kernel with a planted use after free panics far from
# the mistake; from the recording gdb goes backwards to the moment the memory was freed.
set -eu
cd "$(dirname "$0")/../.."
. grader/checks/planted.sh
kernel=$(planted_kernel use-after-free)

log=build/planted/rewind.log
build/bin/mello rewind --kernel "$kernel" --timeout 60 \
    --script grader/checks/planted/use-after-free.gdb \
    -- 'cd /tmp; echo x > file; rm file file' > $log 2>&1 || true
# $1 must stand in the log, after what was looked for before.
from=1
expect() {
    local at
    at=$(tail -n +$from $log | grep -n -m1 -e "$1" | cut -d: -f1)
    [ -n "$at" ] || { echo "rewind: no '$1' (in this order) in $log:"; tail -n 60 $log; exit 1; }
    from=$((from + at))
}
expect 'mello: recorded: panic'
expect 'begin_panic'
expect '0xdddddddddddddddd'
expect 'Hardware watchpoint'
expect 'kfree'
expect 'TmpfsDirectory::unlink'
echo 'rewind: from the panic back to kfree in unlink'
