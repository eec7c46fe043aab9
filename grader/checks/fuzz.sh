#!/bin/bash
# fuzz.sh SECONDS: every fuzzer of grader/fuzz/ for so long, from the seeds in the tree.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-4}
ls grader/fuzz/*.cc >/dev/null 2>&1 || { echo 'no fuzzers'; exit 1; }
for source in grader/fuzz/*.cc; do
    name=$(basename "$source" .cc)
    make -s build/fuzz/"$name"
    mkdir -p build/fuzz/corpus/"$name"
    seeds=()
    [ -d grader/fuzz/"$name".seeds ] && seeds=(grader/fuzz/"$name".seeds)
    echo "== $name"
    build/fuzz/"$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix=build/fuzz/"$name"- \
        build/fuzz/corpus/"$name" "${seeds[@]}" 2>build/fuzz/"$name".log \
        || { tail -n 60 build/fuzz/"$name".log; exit 1; }
    grep -E 'stat::(number_of_executed_units|average)' build/fuzz/"$name".log
done
