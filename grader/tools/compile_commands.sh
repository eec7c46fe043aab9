#!/bin/bash
# compile_commands.sh 'KERNEL SOURCES' 'HOST SOURCES' with KERNEL_CXX and HOST_CXX set:
# writes the database that editors and clang-tidy read.
set -eu
folder=$(pwd) first=1
entry() {  # compiler, file
    local command="$1 -c $2"
    command=${command//\\/\\\\}
    [ $first = 1 ] || echo ','
    first=0
    printf '{"directory": "%s", "command": "%s", "file": "%s"}' \
        "$folder" "${command//\"/\\\"}" "$2"
}
echo '['
for file in $1; do entry "$KERNEL_CXX" "$file"; done
for file in $2; do entry "$HOST_CXX" "$file"; done
echo
echo ']'
