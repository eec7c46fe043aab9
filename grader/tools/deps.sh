#!/bin/bash
# deps.sh check     installs what is missing, or prints what is needed; silent when all is
#                   there (20 ms: one dpkg-query, so that every make can afford it)
# deps.sh install   the same, and says so when nothing is missing
#
# All output goes to stderr. Exit status 0: everything is there now.
set -u
exec >&2
cd "$(dirname "$0")/../.." || exit 1
mapfile -t packages < <(sed 's/#.*//; s/[[:space:]]*$//; /^$/d' packages.txt)

missing() {
    local installed
    installed=$(dpkg-query -W -f='${Package} ${db:Status-Abbrev}\n' "${packages[@]}" \
        2>/dev/null | awk '$2 ~ /^.i/ {print $1}')
    printf '%s\n' "${packages[@]}" | grep -vxF -f <(printf '%s\n' "$installed")
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    # Not Debian: nothing to install with, so judge by the two programs that all needs.
    if [ "$1" = check ] && command -v g++ >/dev/null && command -v make >/dev/null; then
        exit 0
    fi
    echo "This machine has no apt. Install these, by their Debian 12 names:"
    printf '    %s\n' "${packages[@]}"
    exit 1
fi

list=$(missing)
if [ -z "$list" ]; then
    [ "$1" = check ] || echo "deps: all ${#packages[@]} packages of packages.txt are installed"
    exit 0
fi
as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: these packages are missing, and there is no sudo. As root:"
        echo "    apt-get update && apt-get install -y --no-install-recommends" $list
        exit 1
    fi
    as_root=(sudo)
fi
echo "deps: installing with apt:" $list
"${as_root[@]}" apt-get update -qq || echo "deps: apt-get update failed, trying without"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $list || exit 1
list=$(missing)
[ -z "$list" ] || { echo "deps: still missing:" $list; exit 1; }
echo "deps: done"
