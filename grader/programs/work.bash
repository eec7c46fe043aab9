# A script for bash, whose output must be the same on Linux and in the guest: what a shell
# asks of a kernel (processes, pipes, descriptors, signals), and bash's own language around
# it. Arguments: none. It works in a folder of its own below the current one.
set -u
shopt -s extglob nullglob lastpipe

readonly folder=bash-work.$$
mkdir "$folder" && cd "$folder" || exit 1
section=0
section() {
    section=$((section + 1))
    printf '== %d: %s\n' "$section" "$*"
}

section traps
trap 'echo "exit trap, status $?"; cd ..; rm -rf "$folder"' EXIT
trap 'echo "usr1 in $FUNCNAME"' USR1
raise() { kill -USR1 $BASHPID; echo "after the signal"; }
raise
(trap 'echo "child got term"; exit 7' TERM; kill -TERM $BASHPID; echo not reached)
echo "child ended with $?"
(trap '' TERM; kill -TERM $BASHPID; echo "child ignored term")
(trap 'echo "exit trap of a child"' EXIT; exit 6)
echo "child ended with $?"
trap '' HUP
bash -c 'kill -HUP $$; echo "ignored signals stay ignored"'
trap - HUP
errors=0
trap 'errors=$((errors + 1))' ERR
false
grep -q none /dev/null
trap - ERR
echo "$errors errors were trapped"
debugged() { trap 'lines+=$BASH_COMMAND\;' DEBUG; : one; : two; trap - DEBUG; }
lines=
debugged
echo "traced: $lines"
returning() { trap 'echo returned' RETURN; :; }
returning
trap - RETURN

section waiting for signals
sleep 100 &
sleeper=$!
# Earlier it is a copy of this shell, with traps and all.
is_sleep() { [[ $(< /proc/$1/comm) == sleep ]]; }
until is_sleep $sleeper; do :; done
trap 'kill $sleeper' USR1
(kill -USR1 $$) &
status=138  # of a wait that the trap interrupted
while ((status == 138)); do wait $sleeper; status=$?; done
echo "sleeper: $status"
trap - USR1
for signal in HUP INT KILL PIPE ALRM TERM; do
    bash -c "kill -$signal \$\$; sleep 10"
    echo "$signal: $? $(kill -l $?)"
done 2> /dev/null

section subshells
x=outer
(
    x=inner
    cd /
    echo "$x in $PWD"
    (exit 3)
    echo "nested status $?"
)
echo "$x, level $BASH_SUBSHELL, inside $(echo "$BASH_SUBSHELL" "$(echo "$BASH_SUBSHELL")")"
result=$(x=changed; echo "$x"; exit 9)
echo "substitution $result, status $?"
[[ $(bash -c 'echo $PPID') == "$$" ]] && echo "parent is this shell"
{ echo grouped; echo twice; } | while read -r word; do echo "read $word"; done
echo last | read -r kept
echo "lastpipe kept $kept"

section here-documents
name=world
cat << END
hello $name, $((6 * 7)), $(echo "from a command") and \$name
END
cat << 'END'
nothing $expands $((here))
END
cat <<- END
	tabs are taken away
	  blanks are not
	END
cat <<< "a here string with $name"
cat << ONE - << TWO
this is not read
ONE
the second one wins
TWO
function documented() { cat; } << END
of a function: $1
END
documented "its argument"
big=$(printf 'line %d of many\n' {1..4000})
md5sum <<< "$big"
while read -r a b; do echo "$b $a"; done << END
1 one
2 two
END

section process substitution
diff -L one -L other <(printf 'a\nb\nc\n') <(printf 'a\nB\nc\n')
echo "diff ended with $?"
paste <(seq 3) <(seq 11 13) <(printf 'x\ny\nz\n')
[[ $(echo <(:)) == /dev/fd/* ]] && echo "by /dev/fd"
tee >(wc -l > lines) >(md5sum > sum) < <(seq 1000) | tail -n 1
until [[ -s lines && -s sum ]]; do :; done
cat lines sum
total=0
while read -r n; do total=$((total + n)); done < <(seq 100)
echo "total $total"
sort -m <(seq 1 2 9) <(seq 2 2 9) | tr '\n' ' '
echo
cat <(cat <(cat <(echo "three deep")))
mapfile -t lines < <(printf '%s\n' alpha beta gamma)
echo "${#lines[@]} lines, ${lines[-1]} last"
exec 5< <(echo "kept open")
read -r line <&5
exec 5<&-
echo "$line"

section descriptors
exec 3> three 4>&1
echo "to three" >&3
echo "to standard output" >&4
exec 3>&- 4>&-
cat three
{ echo out; echo err >&2; } > both 2>&1
sort both
{ echo out; echo err >&2; } 2>&1 > /dev/null | sed 's/^/piped: /'
exec {fd}<> file
echo "read and write" >&"$fd"
cat "/dev/fd/$fd" < /dev/null > /dev/null
exec {fd}>&-
cat file
echo discarded &> /dev/null
echo "closed" 2> /dev/null >&8 || echo "descriptor 8 is closed"
noclobber() { set -C; echo again > file; set +C; }
noclobber 2> /dev/null || echo "file was kept"

section coprocess
coproc DOUBLE { while read -r n; do echo $((n * 2)); done; }
for n in 4 21; do
    echo $n >&"${DOUBLE[1]}"
    read -r doubled <&"${DOUBLE[0]}"
    echo "$n doubled is $doubled"
done
input=${DOUBLE[1]} pid=$DOUBLE_PID
exec {input}>&-
wait "$pid"
echo "coprocess ended with $?"

section pipelines
set -o pipefail
true | false | true
echo "status $?, each ${PIPESTATUS[*]}"
set +o pipefail
yes | head -n 1
echo "${PIPESTATUS[*]}"
seq 20000 | cat | tac | head -n 1
! true
echo "negated $?"
(for i in {1..50}; do echo "$i"; done) | awk '{ s += $1 } END { print s }'

section jobs
for i in 1 2 3; do (exit $((i * 10))) & pids[i]=$!; done
for i in 3 1 2; do wait "${pids[i]}"; echo "job $i: $?"; done
(exit 5) &
wait
echo "all: $?"
sleep 100 &
sleeper=$!
until is_sleep $sleeper; do :; done
state() { local words; read -ra words < /proc/$1/stat; echo "${words[2]}"; }
kill -STOP $sleeper
until [[ $(state $sleeper) == T ]]; do :; done
echo "stopped"
kill -CONT $sleeper
until [[ $(state $sleeper) == S ]]; do :; done
jobs -r | grep -c 'sleep 100'
kill $sleeper
wait $sleeper 2> /dev/null
echo "killed: $?"

section the language
declare -A colour=([sky]=blue [grass]=green)
for key in "${!colour[@]}"; do echo "$key ${colour[$key]}"; done | sort
list=(one two three four)
echo "${list[@]:1:2}" "${#list[@]}" "${list[@]/o/0}" "${list[*]^^}"
text=/usr/lib/libfoo.so.1
echo "${text##*/}" "${text%%.*}" "${text//\//:}" "${text:5:3}" "${#text}"
[[ $text =~ lib([a-z]+)\.so ]] && echo "matched ${BASH_REMATCH[1]}"
case $text in *.@(a|so)?(.*)) echo "a library" ;;& *lib*) echo "falls on" ;; esac
for ((i = 0; i < 20; i++)); do ((i % 7 == 0)) && printf '%d ' "$i"; done
echo $((2 ** 40)) $((16#ff)) $((-7 / 2)) $((1 ? 2 : 3))
fibonacci() { (($1 < 2)) && echo "$1" || echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2))))); }
fibonacci 9
printf '%5.2f|%-6s|%06d|%x|%q\n' 3.14159 left 42 255 "a b"
printf -v padded '%03d' 7
echo "$padded" {a..e} {01..04} ~root
touch {a,b}{1,2}.txt
echo *.txt !(a*).txt none*
local_scope() { local x=local; inner() { echo "sees $x"; }; inner; }
local_scope
select_one() { PS3='? '; select item in red green; do echo "chose $item"; break; done; }
select_one <<< 2 2> /dev/null
IFS=, read -r first rest <<< "a,b,c"
echo "$first $rest"
unset undefined
(: "$undefined"; echo not reached) 2> /dev/null
echo "unset variable: $?"
(set -e; false; echo not reached)
echo "set -e: $?"
exit 4
