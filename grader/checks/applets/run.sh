#!/bin/sh
# Runs the cases of the files named, each by busybox's ash in an empty folder, and prints for
# each a line "#### name", its standard output with "| " before each line, and its status.
# The same script runs on the host and in the guest (grader/checks/applets.sh). Cases marked
# "#### name root" are left out for other users.
#   run.sh BUSYBOX FILE...
busybox=$1
shift
umask 022
export TZ=UTC LC_ALL=C HOME=/tmp
work=/tmp/applets.$$
$busybox mkdir -p $work/cases
trap '$busybox rm -rf $work' EXIT

# One file a case, named number-name.
$busybox awk -v to=$work/cases -v user="$($busybox id -u)" '
    FNR == 1 { file = "" }
    /^#### / {
        if (file) close(file)
        file = sprintf("%s/%03d-%s", to, ++n, $2)
        if ($3 == "root" && user != 0) file = ""
        next
    }
    file { print > file }' "$@"

for case in $work/cases/*; do
    $busybox rm -rf $work/folder
    $busybox mkdir $work/folder
    cd $work/folder || exit 1
    echo "#### ${case##*/}"
    $busybox timeout 20 $busybox sh "$case" < /dev/null > $work/output 2> /dev/null
    status=$?
    $busybox sed 's/^/| /' $work/output
    echo
    echo "status $status"
done
