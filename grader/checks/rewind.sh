#!/bin/bash
# The worked example of `make rewind`: a kernel with a planted use after free panics far from
# the mistake; from the recording gdb goes backwards to the moment the memory was freed.
set -eu
cd "$(dirname "$0")/../.."
units=build/planted/use-after-free
rm -rf $units && mkdir -p $units && cp solutions/7-profiling/* $units
patch -s -p3 -d $units < grader/checks/planted/use-after-free.patch
make -s -j2 kernel LAB_7=$units
cp -L build/mello.elf build/planted/use-after-free.elf
make -s -j2 kernel  # build/mello.elf is the reference again

log=build/planted/rewind.log
build/bin/mello rewind --kernel build/planted/use-after-free.elf --timeout 60 \
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
