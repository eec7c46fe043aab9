#!/bin/bash
# Starter and solution of a lab have the same units, and each pair the same external symbols
# (nm on objects of the debug profile, which has no LTO); all starters link together, too.
set -eu
cd "$(dirname "$0")/../.."
make -s -j2 kernel
make -s -j2 kernel LAB_1=lab LAB_2=lab LAB_3=lab LAB_4=lab LAB_5=lab LAB_6=lab LAB_7=lab

# Weak symbols are inline functions and templates: what a file happens to instantiate.
symbols() { nm --defined-only --extern-only "$1" | awk '$2 !~ /[WVu]/ {print $3}' | sort; }

failed=0 pairs=0
for reference in build/obj/debug/units/*-ref; do
    lab=${reference%-ref} name=$(basename "${reference%-ref}")
    for unit in $(sed -n 's/^LAB_[0-9]_UNITS *:= *//p' labs/"$name"/lab.mk); do
        for side in labs solutions; do
            [ -f "$side/$name/$unit" ] || { echo "missing: $side/$name/$unit"; failed=1; continue 2; }
        done
        if ! difference=$(diff <(symbols "$lab-lab/$unit.o") <(symbols "$reference/$unit.o")); then
            echo "labs/$name/$unit (<) and solutions/$name/$unit (>) differ in external symbols:"
            grep '^[<>]' <<<"$difference"
            failed=1
        fi
        pairs=$((pairs + 1))
    done
done
echo "$pairs pairs compared"
exit $failed
