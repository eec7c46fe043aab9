#!/bin/bash
# storm.sh N: boots N times in a row with SMP=4 to a shell command; no hang, no panic.
set -u
cd "$(dirname "$0")/../.."
failed=0
for i in $(seq "${1:-60}"); do
    output=$(build/bin/mello run --smp 4 --timeout 30 -- "echo boot $i" 2>build/storm.log)
    if [ $? != 0 ] || [ "$output" != "boot $i" ]; then
        echo "boot $i failed:"; cat build/storm.log; failed=$((failed + 1))
    fi
done
echo "$i boots, $failed failed"
[ $failed = 0 ]
