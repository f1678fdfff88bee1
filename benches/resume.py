#!/usr/bin/env python3
"""How long it takes to start an interpreter, and how long to go on from a snapshot of it that waits for its script.

    benches/resume.py SHEAVE PYTHON.wasm [ROUNDS]

Whole processes, from their start to their end, one after the other, so that whatever else runs on the machine meets all of them; medians, with
the middle half in brackets. `tests/programs/run.sh python` fetches the module (to tests/programs/cache).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

sheave, python = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 21
LINE = "print(sum(i * i for i in range(10)), flush=True)"
# With the teardown of the interpreter, which frees all that its start has made, and without.
LINES = {"": LINE, "; no teardown": LINE + "; import os; os._exit(0)"}
WANT = b"285\n"

folder = tempfile.TemporaryDirectory()
image, snapshot = (os.path.join(folder.name, name) for name in ("python.image", "python.snapshot"))
subprocess.run([sheave, "compile", python, "-o", image], check=True)
subprocess.run([sheave, "snapshot", "--at-input", python, "-o", snapshot, "--", "-c", "exec(input())"], check=True, stdin=subprocess.DEVNULL)

WAYS = {
    "start, the module": [sheave, "run", python, "--", "-c", "exec(input())"],
    "start, its image": [sheave, "run", image, "--", "-c", "exec(input())"],
    "resume": [sheave, "resume", snapshot],
}


def once(command, line):
    """Wall and processor time of a process, in milliseconds."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(line.encode() + b"\n")
    process.stdin.close()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = status
    if status != 0 or out != WANT:
        sys.exit(f"{command}: status {status}, output {out}")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


times = {way + end: [] for end in LINES for way in WAYS}
for _ in range(rounds):
    for end, line in LINES.items():
        for way, command in WAYS.items():
            times[way + end].append(once(command, line))


def show(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} [{low:.1f}–{high:.1f}]"


print(f"snapshot: {os.path.getsize(snapshot) / 2**20:.1f} MiB\n")
print("| | wall time, ms | processor time, ms |\n|---|--:|--:|")
for way, pairs in times.items():
    print(f"| {way} | {show([w for w, _ in pairs])} | {show([c for _, c in pairs])} |")
for end in LINES:
    for column, name in enumerate(("wall", "processor")):
        pairs = zip(times["start, the module" + end], times["resume" + end])
        print(f"\nstart / resume{end}, {name} time: {show([a[column] / b[column] for a, b in pairs])}")
