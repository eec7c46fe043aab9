#!/bin/bash
# `make flame` of two pipe benchmarks, one that moves much and one that takes turns: the picture
# has the copy and the switch by name, and more than 95 % of the samples have one. Under icount,
# so each run sees the same. What sampling costs is judged by lab 7's suite
# (Sampling.costs_under_one_percent).
set -eu
cd "$(dirname "$0")/../.."
log=build/flame/check.log svg=build/flame/flame.svg failed=0
mkdir -p build/flame
rm -f $svg
make flame SMP=1 CLOCK=icount \
    CMD='/tests/5-pty/figures; for i in 1 2 3; do /tests/4-sched/cost; done' > $log 2>&1 ||
    { tail -n 20 $log; exit 1; }

# at_least WHAT LEAST PERCENT
at_least() {
    awk -v got="$3" -v least="$2" 'BEGIN { exit !(got > least) }' || failed=1
    echo "flame: $1 $3 % (more than $2)"
}
# What the picture says of all frames with that name.
share() {
    sed -n "s|.*<title>$1 ([0-9]* samples, \([0-9.]*\)%)</title>.*|\1|p" $svg |
        awk '{ sum += $1 } END { print sum + 0 }'
}
at_least user_copy_in 2 "$(share user_copy_in)"
at_least 'schedule()' 2 "$(share 'schedule()')"
at_least 'samples with a name' 95 \
    "$(sed -n 's/^mello: [0-9]* samples, \([0-9.]*\) % with a name.*/\1/p' $log)"
exit $failed
