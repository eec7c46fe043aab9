# Work for Debian's Python: the language, its library, threads, processes, pipes, signals,
# files and mapped memory. Prints the same on every system.
import bisect
import collections
import contextlib
import csv
import dataclasses
import datetime
import decimal
import enum
import fcntl
import fractions
import functools
import hashlib
import heapq
import io
import itertools
import json
import math
import mmap
import os
import pathlib
import pickle
import queue
import random
import re
import select
import shutil
import signal
import statistics
import string
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zlib


def title(text):
    print("==", text, flush=True)


title("numbers")
print(2**200 % 10**30, math.factorial(40), math.isqrt(10**40))
print(f"{math.pi:.12f} {math.exp(1):.12f} {sum(1 / n for n in range(1, 20001)):.12f}")
decimal.getcontext().prec = 50
print(decimal.Decimal(2).sqrt(), fractions.Fraction(1, 3) + fractions.Fraction(1, 6))
random.seed(7)
print([random.randrange(1000) for _ in range(8)], round(random.gauss(0, 1), 12))
print(statistics.mean([1, 2, 3, 4]), statistics.pstdev([2, 4, 4, 4, 5, 5, 7, 9]))


title("text")
text = "The quick brown fox jumps over the lazy dog. " * 20
words = re.findall(r"[a-z]+", text.lower())
print(collections.Counter(words).most_common(3))
print(re.sub(r"(\w+) (\w+)", r"\2 \1", "one two three four"))
print(textwrap.fill(text[:120], 40))
print(string.Template("$a and ${b}").substitute(a=1, b=2), "größe".encode(), "\u20ac".upper())
print(hashlib.sha256(text.encode()).hexdigest(), zlib.crc32(text.encode()))
packed = zlib.compress(text.encode(), 9)
print(len(text), zlib.decompress(packed).decode() == text)
print(json.dumps({"b": [1, 2.5, None, True], "a": {"nested": "\u00e9"}}, sort_keys=True))
print(struct.pack("<IhQ", 1, -2, 3).hex(), struct.unpack(">f", b"\x3f\x80\0\0"))
rows = list(csv.reader(io.StringIO('a,"b, c",d\n1,2,3\n')))
print(rows, datetime.date(2024, 2, 28) + datetime.timedelta(2))
print(time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1700000000)))


title("the language")


class Colour(enum.Enum):
    RED = 1
    GREEN = 2


@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: int = 0


@functools.lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def primes():
    found = []
    for n in itertools.count(2):
        if all(n % p for p in itertools.takewhile(lambda p: p * p <= n, found)):
            found.append(n)
            yield n


print(Colour(2), sorted([Point(2), Point(1, 5)]), fibonacci(90))
print(list(itertools.islice(primes(), 15)), [*zip("ab", range(2))])
try:
    {}["missing"]
except KeyError as error:
    print("caught", repr(error))
with contextlib.suppress(ZeroDivisionError):
    1 / 0
match Point(3, 4):
    case Point(x=3, y=y):
        print("matched", y)
heap = [5, 1, 4]
heapq.heapify(heap)
print(heapq.nsmallest(2, heap), bisect.bisect([1, 3, 5], 4), {1, 2} | {3})


def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)


try:
    deep(100000)
except RecursionError:
    print("recursion has a limit")


title("files")
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    (folder / "sub").mkdir()
    for i in range(5):
        (folder / f"file{i}.txt").write_text("line\n" * i)
    os.symlink("file3.txt", folder / "link")
    print(sorted(p.name for p in folder.iterdir()), (folder / "link").read_text().count("\n"))
    print((folder / "link").resolve().name, (folder / "file2.txt").stat().st_size)
    shutil.copytree(folder, folder.parent / (folder.name + ".copy"), symlinks=True)
    shutil.rmtree(folder.parent / (folder.name + ".copy"))
    with open(folder / "big", "w+b") as file:
        file.truncate(1 << 20)
        with mmap.mmap(file.fileno(), 0) as mapped:
            mapped[500000:500005] = b"hello"
            mapped.flush()
        file.seek(500000)
        print(file.read(5), mapped.closed)
        fcntl.lockf(file, fcntl.LOCK_EX)
    with open(folder / "data", "wb") as file:
        pickle.dump({"k": list(range(10))}, file)
    print(pickle.loads((folder / "data").read_bytes()))
    try:
        open(folder / "none")
    except FileNotFoundError as error:
        print(error.errno, error.strerror)
print(os.path.exists(name))


title("threads")
total, lock = 0, threading.Lock()


def add(times):
    global total
    for _ in range(times):
        with lock:
            total += 1


threads = [threading.Thread(target=add, args=(2000,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(total)
jobs, results = queue.Queue(), queue.Queue()


def work():
    while (job := jobs.get()) is not None:
        results.put(job * job)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for n in [*range(50), None, None, None]:
    jobs.put(n)
for thread in threads:
    thread.join()
print(sum(results.get() for _ in range(50)))
event = threading.Event()
timer = threading.Timer(0.05, event.set)
timer.start()
print(event.wait(30), threading.Condition().acquire())


title("processes")
print(subprocess.run(["sort", "-r"], input="a\nc\nb\n", capture_output=True, text=True).stdout.split())
print(subprocess.run(["sh", "-c", "exit 3"]).returncode)
pipeline = subprocess.Popen(["seq", "5000"], stdout=subprocess.PIPE)
print(subprocess.check_output(["tail", "-n", "1"], stdin=pipeline.stdout, text=True).strip())
pipeline.stdout.close()
print(pipeline.wait())
try:
    subprocess.run(["sleep", "100"], timeout=0.1)
except subprocess.TimeoutExpired:
    print("timed out")
child = subprocess.Popen(["sleep", "100"])
child.send_signal(signal.SIGTERM)
print(child.wait())
readable, writable = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(writable, b"from the child")
    os._exit(5)
os.close(writable)
print(select.select([readable], [], [], 30)[0] == [readable], os.read(readable, 100))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.read(readable, 100))
print(subprocess.check_output([sys.executable, "-I", "-c", "print(6 * 7)"]))


title("signals")
caught = []
signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(signal.Signals(number).name))
os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, lambda number, frame: caught.append("alarm"))
readable, writable = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(writable)
signal.setitimer(signal.ITIMER_REAL, 0.05)
select.select([readable], [], [])
print(caught)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending(), signal.sigwait([signal.SIGUSR2]).name)
