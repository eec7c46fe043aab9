#!/bin/bash
# Debian's own dynamic dash, lua5.4, sqlite3, bash and python3, unmodified, with their
# libraries: the same scripts run on this machine and in the guest, and must print the same.
# What the scripts call besides is busybox on both sides. And those that read /proc, busybox's
# and Debian's ps, top, free, uptime and vmstat, whose output proc_tools.sh judges in the guest.
# Prints a line a program; exits 1 when one differs.
#   grader/checks/programs.sh [options of `mello run`, e.g. --smp 2]
set -eu
cd "$(dirname "$0")/../.."
mello=build/bin/mello
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

grader/tools/bundle.sh "$work/extra" /usr/bin/dash /usr/bin/lua5.4 /usr/bin/sqlite3 /usr/bin/bash
# What the script imports; pickle and others name more at run time.
modules=$(sed -n 's/^import //p' grader/programs/work.py)
grader/tools/bundle_python.sh "$work/extra" $modules _posixsubprocess _decimal traceback
mkdir -p "$work/extra/programs" "$work/bin"
cp /bin/busybox "$work/bin/"
"$work/bin/busybox" --install -s "$work/bin"
ln -s /usr/bin/bash "$work/bin/bash"
cp grader/programs/* "$work/extra/programs/"

failed=0
# try NAME COMMAND: {} stands for the folder with the scripts.
try() {
    local name=$1 command=$2 start=$SECONDS
    # Signals that whoever started us ignores (nohup) would stay ignored: traps need them.
    env --default-signal PATH="$work/bin" bash -c \
        "cd /tmp; ${command//\{\}/$PWD/grader/programs}" > "$work/host" 2> "$work/errors" \
        < /dev/null || true
    if ! "$mello" run --extra "$work/extra" --timeout 120 "${options[@]}" -- \
        "cd /tmp; ${command//\{\}//programs}" > "$work/guest" 2> "$work/errors"; then
        echo "FAIL $name: the guest's command failed"
        tail -n 20 "$work/errors"
        failed=1
    elif ! diff "$work/host" "$work/guest" > "$work/diff"; then
        echo "FAIL $name: output differs from the host's (<: host, >: guest)"
        head -n 20 "$work/diff"
        failed=1
    else
        echo "ok   $name ($((SECONDS - start)) s, $(wc -l < "$work/host") lines equal)"
    fi
}

options=("$@")
try dash '/usr/bin/dash {}/dash.sh'
try lua5.4 '/usr/bin/lua5.4 {}/work.lua'
try sqlite3 'rm -f work.db; /usr/bin/sqlite3 work.db < {}/work.sql && rm work.db'
try bash '/usr/bin/bash -c ". {}/work.bash"; echo status $?'
try python3 '/usr/bin/python3 -I {}/work.py'

grader/tools/bundle.sh "$work/tools" /usr/bin/ps /usr/bin/top /usr/bin/free /usr/bin/uptime \
    /usr/bin/vmstat
install -D /lib/terminfo/d/dumb "$work/tools/lib/terminfo/d/dumb"
cp -r "$work/extra/programs" "$work/tools/"
if "$mello" run --extra "$work/tools" --timeout 60 "${options[@]}" -- \
    'sh /programs/proc_tools.sh' > "$work/guest" 2> "$work/errors"; then
    echo "ok   $(tail -n 1 "$work/guest")"
else
    echo "FAIL proc_tools"
    tail -n 40 "$work/guest" "$work/errors"
    failed=1
fi
exit $failed
