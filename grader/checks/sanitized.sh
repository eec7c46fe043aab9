#!/bin/bash
# The kernel with UBSan (a violation is a panic) boots and runs the POSIX tests.
set -eu
cd "$(dirname "$0")/../.."
make -s -j2 kernel SAN=1
build/bin/mello run --kernel build/kernels/debug-san-ref/mello.elf --smp 4 --timeout 120 \
    -- '/tests/posix && /tests/threads-musl && /tests/threads-glibc'
