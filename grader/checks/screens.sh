#!/bin/bash
# Interactive programs, typed to on a PTY whose window changes: busybox's vi, less, top,
# watch and ash, Debian's dynamic bash and python3 (user/tests/common/screens.cc). First on
# this machine, which shows that the test asks for what Linux does, then in the guest with
# 1, 2 and 4 CPUs. Exits 1 when something failed.
#   grader/checks/screens.sh [CPUS...]
set -eu
cd "$(dirname "$0")/../.."
programs="vi less top watch ash /usr/bin/bash /usr/bin/python3"
terminal=/lib/terminfo/l/linux  # what bash and python3 edit lines by
extra=$(mktemp -d)
trap 'rm -rf "$extra"' EXIT

grader/tools/bundle.sh "$extra" /usr/bin/bash
grader/tools/bundle_python.sh "$extra" readline rlcompleter os signal time
install -D -m 644 "$terminal" "$extra$terminal"

build/user/root/tests/screens $programs
for cpus in ${*:-1 2 4}; do
    build/bin/mello run --timeout 60 --extra "$extra" --smp "$cpus" -- \
        "/tests/screens $programs"
done
