#!/bin/bash
# Every kernel with one lab's starter builds and boots: those of labs 1 and 2 end in their
# named message (the starter cannot go on), the others run a command in the shell.
set -u
cd "$(dirname "$0")/../.."
failed=0
for lab in 1 2 3 4 5 6 7; do
    folder=$(basename labs/$lab-*)
    ls labs/"$folder"/lab.mk >/dev/null 2>&1 || continue
    if ! make -s -j2 kernel LAB_$lab=lab 2>build/swap.log; then
        echo "LAB_$lab=lab does not build:"; cat build/swap.log; failed=1; continue
    fi
    kernel=build/kernels/debug-${lab}lab/mello.elf
    output=$(build/bin/mello run --kernel $kernel --smp 2 --timeout 40 --record build/swap \
        -- 'echo shell reached' 2>build/swap.log)
    status=$?
    if [ "$output" = 'shell reached' ] && [ $status = 0 ]; then
        result='shell'
    elif grep -aq "lab $lab: .* (labs/$folder/" build/swap/console; then
        result='message'
    else
        result="neither shell nor message (status $status)"; tail -n 12 build/swap.log; failed=1
    fi
    case $lab in
        [12]) [ "$result" = message ] || { echo "lab $lab must stop with its message"; failed=1; } ;;
        *) [ "$result" = shell ] || { echo "lab $lab must reach the shell"; failed=1; } ;;
    esac
    echo "LAB_$lab=lab: $result"
done
make -s -j2 kernel  # build/mello.elf is the reference again, for whoever runs it next
exit $failed
