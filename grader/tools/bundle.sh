#!/bin/sh
# Copies programs (and libraries) of this machine, with the dynamic loader and every library they need, into
# a folder that EXTRA= lays over the guest's root:
#   grader/tools/bundle.sh build/extra /usr/bin/lua5.4 /usr/bin/sqlite3
set -eu
[ $# -ge 2 ] || { echo "usage: $0 FOLDER PROGRAM..." >&2; exit 2; }
folder=$1
shift

# Puts the file at the same path below the folder, links followed.
copy() {
    mkdir -p "$folder$(dirname "$1")"
    cp -L "$1" "$folder$1"
}

for program in "$@"; do
    [ -f "$program" ] || { echo "$0: no program $program (make deps installs it)" >&2; exit 1; }
    copy "$program"
    # ldd prints "name => path (address)", and the loader as "path (address)".
    ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' |
    while read -r library; do copy "$library"; done
done
