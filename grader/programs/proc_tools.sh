# What ps, top, free, uptime and vmstat make of /proc, busybox's and Debian's (procps), against
# what must be so: run in the guest by grader/checks/programs.sh. A line a check; the last line
# counts them; fails when one fails.
failed=0 passed=0
# holds NAME TEXT PATTERN...: each pattern, of grep -E, matches a line of the text.
holds() {
    name=$1 text=$2
    shift 2
    for pattern; do
        if printf '%s\n' "$text" | grep -qE -- "$pattern"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            printf 'FAIL %s: no line matches %s\n%s\n' "$name" "$pattern" "$text"
        fi
    done
}
field() { sed -n "s/^$1:[[:space:]]*\([0-9]*\).*/\1/p" "$2"; }

cd /tmp
sleep 100 &
pid=$! me=$$
# Asleep at last, with its program loaded.
until [ "$(cut -d' ' -f3 /proc/$pid/stat)" = S ] && [ "$(cat /proc/$pid/comm)" = sleep ]; do :; done
size=$(field VmSize /proc/$pid/status) resident=$(field VmRSS /proc/$pid/status)
total=$(field MemTotal /proc/meminfo)
n='[0-9]+' s='[[:space:]]+'

holds 'ps -o' "$(/usr/bin/ps -o pid=,ppid=,s=,vsz=,rss=,nlwp=,comm= -p $pid)" \
    "^ *$pid +$me +S +$size +$resident +1 +sleep$"
all=$(/usr/bin/ps aux)
holds 'ps aux' "$all" '^USER +PID +%CPU +%MEM +VSZ +RSS TTY +STAT START +TIME COMMAND$' \
    "^root +1 .* /init$" "^root +$pid +[0-9.]+ +[0-9.]+ +$size +$resident \? +S .* sleep 100$" \
    "^root +$n .* R .* /usr/bin/ps aux$"
holds 'ps -ef' "$(/usr/bin/ps -ef)" "^root +$pid +$me .* sleep 100$"
holds 'ps -C' "$(/usr/bin/ps -C sleep -o pid=)" "^ *$pid$"
holds 'busybox ps' "$(busybox ps)" "^ *$pid root +sleep 100$" "^ *1 root +/init$"
holds 'busybox ps -o' "$(busybox ps -o pid,ppid,comm)" "^ *$pid +$me sleep$"
holds 'top' "$(TERM=dumb /usr/bin/top -b -n 2 -d 0.2)" "^Tasks: +$n total, +$n running, +$n sleep" \
    "^%Cpu\(s\): .* [0-9.]+ id," "^MiB Mem : +$((total / 1024))\.$n total, " \
    "^ *$pid root +20 +0 +$size +$resident +0 S +0.0 .* sleep$" "^ *$n root .* R .* top$"
holds 'busybox top' "$(busybox top -b -n 1)" "^Mem: ${n}K used, ${n}K free," "^CPU: +$n% usr " \
    "^ *$pid +$me root +S +$size .* sleep 100$"
holds 'free' "$(/usr/bin/free)" "^Mem: +$total( +$n){5}$" '^Swap: +0 +0 +0$'
holds 'busybox free' "$(busybox free)" "^Mem: +$total( +$n){5}$"
up='up 0 min,  0 users?,  load average: [0-9.]+, [0-9.]+, [0-9.]+$'
holds 'uptime' "$(/usr/bin/uptime)" "$up"
holds 'busybox uptime' "$(busybox uptime)" "$up"
holds 'vmstat' "$(/usr/bin/vmstat -n 1 2)" '^ r +b +swpd +free ' "^ *$n( +$n){16}$"
forks=$(sed -n 's/^processes //p' /proc/stat)
holds 'vmstat -f' "$(/usr/bin/vmstat -f)" "^ +($((forks + 1))|$((forks + 2))|$((forks + 3))) forks$"
holds 'vmstat -s' "$(/usr/bin/vmstat -s)" "^ +$total K total memory$" "^ +$n interrupts$" \
    "^ +$(sed -n 's/^btime //p' /proc/stat) boot time$"
kill $pid
wait $pid
holds 'ps of nobody' "$(/usr/bin/ps -o pid= -p $pid; echo status $?)" '^status 1$'
echo "proc_tools: $passed passed, $failed failed"
[ $failed -eq 0 ]
