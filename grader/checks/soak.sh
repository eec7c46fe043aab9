#!/bin/bash
# soak.sh SECONDS: fork, exec, mmap and pipes on 4 CPUs without a pause; no panic, and as many
# free frames afterwards as before (user/tests/common/stress counts them).
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
build/bin/mello run --smp 4 --timeout $((seconds * 3 + 60)) -- "/tests/stress $seconds"
