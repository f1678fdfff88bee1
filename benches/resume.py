#!/usr/bin/env python3
"""How long it takes to start an interpreter, and how long to go on from a snapshot of it that waits for its script.

    benches/resume.py SHEAVE [--rounds N] PROGRAM=MODULE[,FILE]…

PROGRAM is one of the table below. Whole processes, from their start to their end, one after the other, so that whatever else runs on the machine
meets all of them; medians, with the middle half in brackets. `tests/programs/run.sh python ruby qjs` fetches or builds the modules, and says
where they are.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

# Arguments of the program; a line for it to run; how that ends without taking the interpreter down; what it prints. A FILE is at /lib.
PROGRAMS = {
    "python": (
        ["-c", "exec(input())"],
        "print(sum(i * i for i in range(10)), flush=True)",
        "; import os; os._exit(0)",
        b"285\n",
    ),
    "ruby": (
        ["-e", "eval(STDIN.gets)"],
        "puts (0...10).sum { |i| i * i }",
        "; STDOUT.flush; exit!(0)",
        b"285\n",
    ),
    "quickjs": (
        ["--std", "-e", "std.evalScript(std.in.getline())"],
        "print([...Array(10).keys()].reduce((sum, i) => sum + i * i, 0))",
        "; std.out.flush(); std.exit(0)",
        b"285\n",
    ),
    # TypeScript's compiler, which QuickJS reads and compiles at its start.
    "typescript": (
        ["--std", "-e", "std.loadScript('/lib/typescript.js'); std.evalScript(std.in.getline())"],
        "print(ts.transpile('let x: number = 6 * 7').trim())",
        "; std.out.flush(); std.exit(0)",
        b"var x = 6 * 7;\n",
    ),
}


def once(command, line, want):
    """Wall and processor time of a process, in milliseconds."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(line.encode() + b"\n")
    process.stdin.close()
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = status
    if status != 0 or out != want:
        sys.exit(f"{command}: status {status}, output {out}")
    return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


def show(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} [{low:.1f}–{high:.1f}]"


def measure(sheave, name, module, file, rounds, folder):
    args, line, leave, want = PROGRAMS[name]
    image, snapshot = (os.path.join(folder, f"{name}.{kind}") for kind in ("image", "snapshot"))
    dirs = ["--dir", f"{os.path.dirname(os.path.abspath(file))}::/lib"] if file else []
    subprocess.run([sheave, "compile", module, "-o", image], check=True)
    take = [sheave, "snapshot", "--at-input", *dirs, module, "-o", snapshot, "--", *args]
    subprocess.run(take, check=True, stdin=subprocess.DEVNULL)
    ways = {
        "start, the module": [sheave, "run", *dirs, module, "--", *args],
        "start, its image": [sheave, "run", *dirs, image, "--", *args],
        "resume": [sheave, "resume", *dirs, snapshot],
    }
    # With the teardown of the interpreter, which frees all that its start has made, and without.
    ends = {"": "", "; no teardown": leave}
    times = {way + end: [] for end in ends for way in ways}
    for _ in range(rounds):
        for end, words in ends.items():
            for way, command in ways.items():
                times[way + end].append(once(command, line + words, want))
    print(f"\n{name}; snapshot: {os.path.getsize(snapshot) / 2**20:.1f} MiB\n")
    print("| | wall time, ms | least | processor time, ms |\n|---|--:|--:|--:|")
    for way, pairs in times.items():
        walls = [wall for wall, _ in pairs]
        print(f"| {way} | {show(walls)} | {min(walls):.1f} | {show([cpu for _, cpu in pairs])} |")
    print()
    for end in ends:
        for column, what in enumerate(("wall", "processor")):
            pairs = zip(times["start, the module" + end], times["resume" + end])
            print(f"start / resume{end}, {what} time: {show([a[column] / b[column] for a, b in pairs])}")


def main():
    sheave, *rest = sys.argv[1:]
    rounds = 21
    if rest[:1] == ["--rounds"]:
        rounds, rest = int(rest[1]), rest[2:]
    with tempfile.TemporaryDirectory() as folder:
        for program in rest:
            name, _, paths = program.partition("=")
            module, _, file = paths.partition(",")
            measure(sheave, name, module, file, rounds, folder)


main()
