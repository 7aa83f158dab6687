#!/usr/bin/env python3
"""Measures two builds of the service in rounds, and writes a CSV file that `weir gate` reads.

A round is one trial of each build, in fresh processes. The two trials take turns in short slices, never at the same time, so
that what slows the machine slows both. Which build begins is balanced over the rounds. The figure is the CPU time of a
request: it is what a shared runner measures best, since other work on the machine delays a service more than it makes it use.
"""

import argparse
import csv
import http.client
import json
import os
import random
import statistics
import subprocess
import sys


class Build:
    """A running build."""

    def __init__(self, folder: str):
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(folder, "service.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        port = int(self.process.stdout.readline())
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.slices: list[float] = []

    def ask(self, requests: int):
        """Asks it, and notes the CPU time of a request, in microseconds."""
        before = cpu_seconds(self.process.pid)
        for number in range(requests):
            order = json.dumps({"quantity": number, "unit_price": 3.5})
            self.connection.request("POST", "/", order)
            answer = self.connection.getresponse()
            if answer.status != 200 or json.load(answer)["price"] < 0:
                raise SystemExit(f"{self.folder}: answered {answer.status}")
        used = cpu_seconds(self.process.pid) - before
        self.slices.append(used / requests * 1e6)

    def stop(self):
        self.connection.close()
        self.process.stdin.close()
        self.process.wait()


SLICE = 10


def measure(folders: list[str], requests: int) -> list[float]:
    """CPU time of a request of each build: the median over its slices, so that a slice that was disturbed counts for little.
    They are asked in this order, slice by slice."""
    builds = [Build(folder) for folder in folders]
    for build in builds:
        build.ask(5 * SLICE)
        build.slices.clear()
    for _ in range(max(1, requests // SLICE)):
        for build in builds:
            build.ask(SLICE)
    for build in builds:
        build.stop()
    return [statistics.median(build.slices) for build in builds]


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads, from the scheduler: /proc/PID/stat counts in steps of 10 ms, too coarse for a short trial."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--baseline", required=True, help="folder of the build that is in use")
    arguments.add_argument("--candidate", required=True, help="folder of the build that is to replace it")
    arguments.add_argument("--rounds", type=int, default=12)
    arguments.add_argument("--requests", type=int, default=300, help="requests of a trial")
    arguments.add_argument("--seed", type=int, default=1, help="of the orders")
    given = arguments.parse_args()
    builds = {"baseline": given.baseline, "candidate": given.candidate}
    draw = random.Random(given.seed)
    orders = [list(builds), list(builds)[::-1]]
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow(["round", "target", "cpu_us"])
    for number in range(given.rounds):
        if number % 2 == 0:
            draw.shuffle(orders)
        order = orders[number % 2]
        figures = measure([builds[target] for target in order], given.requests)
        for target, figure in zip(order, figures):
            rows.writerow([number + 1, target, f"{figure:.3f}"])


if __name__ == "__main__":
    main()
