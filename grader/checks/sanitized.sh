#!/bin/bash
# The kernel with UBSan and KASAN (SAN=1; a finding is a panic) passes the POSIX, signal and
# thread tests and the stress in silence; and both find what is planted: a use after free, a
# write beyond a block, an undefined shift, each with a backtrace.
#   grader/checks/sanitized.sh [SECONDS of stress=20]
set -eu
cd "$(dirname "$0")/../.."
. grader/checks/planted.sh
make -s -j2 kernel SAN=1
build/bin/mello run --kernel build/kernels/debug-san-ref/mello.elf --smp 4 --timeout 200 \
    -- "/tests/posix && /tests/signals && /tests/threads-musl && /tests/threads-glibc &&
        /tests/stress ${1:-20}"

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
