#!/bin/bash
# The same icount run twice, the second time with the host loaded: output and the kernel's
# time stamps must agree to the last digit.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill $load 2>/dev/null || true' EXIT
load=
for run in 1 2; do
    if [ $run = 2 ]; then (while :; do :; done) & load=$!; fi
    build/bin/mello run --clock icount --timeout 60 --record "$folder/$run" \
        -- 'dmesg; cat /proc/uptime; seq 1 200 | sort -r | tail -n 2; cat /proc/uptime' >/dev/null
done
for file in console stdout stderr control; do
    cmp "$folder/1/$file" "$folder/2/$file"
done
wc -l "$folder/1/console" "$folder/1/stdout"
