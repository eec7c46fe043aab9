#!/bin/bash
# The scripts of user/sh/tests/cases.txt in the guest: mello-sh against busybox's ash
# there.
#   shell_guest.sh [options of `mello run`]
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/shell"
cp grader/checks/shell.sh user/sh/tests/cases.txt "$work/shell"
build/bin/mello run --extra "$work" --timeout 120 "$@" -- \
    'sh /shell/shell.sh /bin/mello-sh /bin/sh /shell/cases.txt'
