#!/bin/sh
# Runs the scripts of user/sh/tests/cases.txt in mello-sh and in another POSIX shell, and
# compares standard output and exit status. Prints the cases that differ; exits 1 when one
# does.
#   shell.sh [mello-sh [other shell [file of cases...]]]
# Left out: the built one, dash, the tree's files.
# Plain sh, so that it runs in the guest, too.
top=$(dirname "$0")/../..
shell=${1:-$top/build/user/root/bin/mello-sh}
other=${2:-/bin/dash}
if [ $# -gt 2 ]; then shift 2; else set -- "$top"/user/sh/tests/cases*.txt; fi
case $shell in /*) ;; *) shell=$PWD/$shell ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/cases" "$work/folder"

# One file a case, named number-name.how.
awk -v to="$work/cases" '
    FNR == 1 { file = "" }
    /^#### / {
        if (file) close(file)
        file = sprintf("%s/%03d-%s.%s", to, ++n, $2, $3 ? $3 : "file")
        next
    }
    file { print > file }' "$@"

# run SHELL CASE OUTPUT: output and status, in an empty folder.
run() {
    rm -rf "$work/folder" && mkdir "$work/folder" && cd "$work/folder" || exit 1
    case $2 in
        *.file) timeout 10 "$1" "$2" one "two words" < /dev/null ;;
        *.-c) timeout 10 "$1" -c "$(cat "$2")" name one "two words" < /dev/null ;;
        *.stdin) timeout 10 "$1" < "$2" ;;
    esac > "$3" 2> "$3.errors"
    echo "status $?" >> "$3"
}

passed=0 failed=0
for case in "$work"/cases/*; do
    run "$other" "$case" "$work/expected"
    run "$shell" "$case" "$work/got"
    if cmp -s "$work/expected" "$work/got"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL ${case##*/} (<: $other, >: $shell)"
        diff "$work/expected" "$work/got"
        head -n 5 "$work/got.errors"
    fi
done
echo "shell: $passed equal, $failed different"
[ $passed -gt 0 ] && [ $failed -eq 0 ]
