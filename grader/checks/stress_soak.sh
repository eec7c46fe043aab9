#!/bin/bash
# Runs the fork/exec/mmap/pipe stress for SECONDS on 4 CPUs and compares the free frames
# before and after: no panic, no wrong content, no leak.
#   grader/checks/stress_soak.sh [SECONDS=600] [options of `mello run`]
# A short first run fills what is filled once and kept (page tables of the kernel, the first
# slab of each kind); reading MemFree empties all caches first, so the counts are exact.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-600}
shift || true
slack_kib=128

status=0
output=$(build/bin/mello run --smp 4 --mem 512 --timeout $((seconds * 2 + 120)) "$@" -- "
/tests/stress 10 > /dev/null || exit 1
sleep 1
grep MemFree /proc/meminfo
/tests/stress $seconds || exit 1
sleep 1
grep MemFree /proc/meminfo") || status=$?
echo "$output"
[ $status -eq 0 ] || { echo "FAIL: the stress ended with $status"; exit 1; }
echo "$output" | awk -v slack=$slack_kib '
    /MemFree/ { free[n++] = $2 }
    END {
        if (n != 2) { print "FAIL: no count of free memory"; exit 1 }
        lost = free[0] - free[1]
        print "free before " free[0] " KiB, after " free[1] " KiB"
        if (lost > slack) { print "FAIL: " lost " KiB were lost"; exit 1 }
    }'
