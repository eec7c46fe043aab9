#!/bin/bash
# Boots the kernel COUNT times with 4 CPUs to a shell command, two boots at a time: no hang,
# no panic, the right output every time.
#   grader/checks/boot_soak.sh [COUNT=300] [options of `mello run`]
# Ends with "N boots, N failed"; exits 1 when one failed. What a failed boot said is kept in
# build/soak/.
set -eu
cd "$(dirname "$0")/../.."
count=${1:-300}
shift || true
mkdir -p build/soak
rm -f build/soak/boot-*

one() {
    local i=$1
    shift
    local out=build/soak/boot-$i
    if build/bin/mello run --smp 4 --timeout 60 "$@" -- "echo boot $i: \$((6 * 7)) \$(nproc)" \
        > "$out" 2> "$out.errors" && [ "$(cat "$out")" = "boot $i: 42 4" ]; then
        rm "$out" "$out.errors"
    fi
}
export -f one

progress() { [ -t 2 ] && printf '\r%d of %d boots' "$1" "$count" >&2 || true; }
for ((i = 1; i <= count; i++)); do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n || true; done
    one "$i" "$@" &
    progress "$i"
done
wait
[ -t 2 ] && printf '\r%40s\r' '' >&2
failed=$(find build/soak -name 'boot-*.errors' | wc -l)
echo "$count boots, $failed failed"
if [ "$failed" -gt 0 ]; then
    first=$(find build/soak -name 'boot-*.errors' | sort -V | head -n 1)
    echo "first failure: $first"
    tail -n 30 "$first"
    exit 1
fi
