#!/bin/bash
# busybox's applets, tried on the cases of grader/checks/applets/*.txt: the same binary runs
# each on this machine and in the guest, all in one boot, and must print the same and end
# with the same status. A case that differs is shown with its text; exits 1 then.
#   grader/checks/applets.sh [options of `mello run`, e.g. --smp 2]
set -eu
cd "$(dirname "$0")/../.."
cases=grader/checks/applets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/extra/applets" "$work/bin" "$work/host" "$work/guest"
cp "$cases"/* "$work/extra/applets/"
# xargs, find -exec and env look for programs in the PATH: on both sides they find busybox.
cp /bin/busybox "$work/bin/"
"$work/bin/busybox" --install -s "$work/bin"

# Signals that whoever started us ignores (nohup) would stay ignored: traps of cases need them.
env --default-signal -i PATH="$work/bin" "$work/bin/busybox" sh "$cases/run.sh" "$work/bin/busybox" \
    "$PWD/$cases"/*.txt > "$work/host.out"
build/bin/mello run --extra "$work/extra" --timeout 240 "$@" -- \
    "PATH=/bin:/sbin:/usr/bin:/usr/sbin exec busybox sh /applets/run.sh /bin/busybox /applets/*.txt" \
    > "$work/guest.out"

# split FOLDER: a file a case, from standard input.
split() {
    awk -v to="$1" '/^#### / { if (file) close(file); file = to "/" $2 } { print > file }'
}
split "$work/host" < "$work/host.out"
split "$work/guest" < "$work/guest.out"

equal=0 different=0
for expected in "$work"/host/*; do
    name=$(basename "$expected")
    if cmp -s "$expected" "$work/guest/$name"; then
        equal=$((equal + 1))
        continue
    fi
    different=$((different + 1))
    echo "FAIL ${name#*-}:"
    cat "$cases"/*.txt | awk -v name="${name#*-}" '/^#### / { on = $2 == name; next } on'
    echo "  (<: host, >: guest)"
    diff "$expected" "$work/guest/$name" 2>&1 | head -n 30 || true
done
echo "applets: $equal equal, $different different"
[ $equal -ge 150 ] && [ $different -eq 0 ]
