# Work for Debian's dash: arithmetic, functions, pipelines, here-documents, redirections,
# globbing, subshells, background jobs and exit statuses. Prints the same on every system.
fib() {
    if [ "$1" -lt 2 ]; then echo "$1"; else
        echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2)))))
    fi
}
echo "fib 10: $(fib 10)"

total=0
i=0
while [ $i -lt 20000 ]; do
    total=$(((total * 31 + i) % 1000003))
    i=$((i + 1))
done
echo "hash: $total"

work=/tmp/dash-work.$$
mkdir -p "$work/sub" && cd "$work" || exit 1
for n in one two three four; do echo "line of $n" > "$n.txt"; done
echo *.txt
cat <<END | while read -r a b; do echo "$b-$a"; done
alpha 1
beta 2
END
cat one.txt two.txt > sub/both && wc -l < sub/both | tr -d ' '
(cd sub && echo "inner $(basename "$PWD")")
false; echo "status $?"
(exit 7); echo "status $?"
sh -c 'kill -9 $$' 2>/dev/null; echo "status $?"
(echo from background) > background.txt & wait $!; cat background.txt
set -- a "b c" d
for word in "$@"; do echo "<$word>"; done
case "hello world" in hello*) echo matched ;; *) echo missed ;; esac
printf '%05d|%-6s|%x\n' 42 abc 255
x=path/to/file.tar.gz
echo "${x##*/} ${x%.*} ${#x} ${unset:-default}"
ls | sort -r | head -n 2
seq 1 3000 | awk '{ s += $1 } END { print "sum", s }'
yes | head -n 100000 | wc -c | tr -d ' '
cd / && rm -r "$work" && echo "cleaned"
