#!/bin/bash
# The kernel with UBSan and KASAN (SAN=1; a finding is a panic) runs every test program of the
# guest in silence: the common ones (POSIX, signals, jobs, threads), those of all labs, the
# stress and the signal storm. And both find what is planted: a use after free, a write beyond
# a block, an undefined shift, each with a backtrace.
#   grader/checks/sanitized.sh [SECONDS of stress and of the storm=20]
set -eu
cd "$(dirname "$0")/../.."
. grader/checks/planted.sh
seconds=${1:-20}
make -s -j2 kernel SAN=1
kernel=build/kernels/debug-san-ref/mello.elf

# In the guest: runs programs one by one, says how long each took, shows what failed; the last
# line is reached only when all were good.
run_all='
run() {
    began=$(date +%s)
    timeout 100 "$@" > /tmp/sanitized.log 2>&1
    status=$?
    echo "$*: exit $status after $(($(date +%s) - began)) s"
    [ $status -eq 0 ] && return
    grep -v ^ok /tmp/sanitized.log | tail -n 20
    exit 1
}
'
guest() {  # options of `mello run`... SCRIPT: it must come to its end
    local script=${*: -1}
    build/bin/mello run --kernel $kernel --timeout 300 "${@:1:$#-1}" -- "$run_all$script"
}

# What some programs of labs 1 and 2 find in /run/mello/data when a suite runs them.
data=build/check/sanitized-data/run/mello/data
mkdir -p $data
head -c 24999 /dev/urandom | tee $data/blob > $data/small
guest --smp 4 --extra build/check/sanitized-data '
for program in /tests/[1-7]-*/*; do
    case $program in
        */4-sched/cost | */2-paging/shortage) ;;  # made for one CPU
        *) run $program ;;
    esac
done'
guest --smp 1 --mem 64 'run /tests/2-paging/shortage; run /tests/4-sched/cost'
guest --smp 4 "
run /tests/posix; run /tests/signals stop; run /tests/jobs
run /tests/threads-musl; run /tests/threads-glibc
run /tests/rcu 10; run /tests/stress $seconds; run /tests/storm $seconds"

# finds NAME COMMAND REPORT: with that planted, COMMAND ends in a panic with that report, and
# the backtrace names the directory index.
finds() {
    local kernel log=build/planted/$1.log
    kernel=$(planted_kernel "$1" SAN=1)
    build/bin/mello run --kernel "$kernel" --timeout 30 -- "$2" > "$log" 2>&1 || true
    if ! grep -q "PANIC: $3" "$log" || ! grep -q 'dir_index_\|TmpfsDirectory' "$log"; then
        echo "$1: no \"$3\" with a backtrace:"; cat "$log"; exit 1
    fi
    echo "$1: $(grep -m1 -o 'PANIC: .*' "$log")"
}
long=$(printf 'n%.0s' {1..100})
finds use-after-free 'cd /tmp; echo x > file; rm file file' 'KASAN: use after free'
finds overflow 'ls -R / > /dev/null; mkdir /tmp/d; for i in 1 2 3 4 5 6 7 8 9; do : > /tmp/d/$i; done; cat /tmp/d/*' \
    'KASAN: out of bounds'
finds shift "echo x > /tmp/$long" 'UBSan: shift'
make -s -j2 kernel  # build/mello.elf is the reference again
