"""A hash-chained log as a plain Python program keeps one: one file, one writer, not synced. Prints its rates as JSON.

usage: chain.py FILE ENTRIES
"""
import hashlib
import json
import sys
import time
from datetime import datetime, timezone

GENESIS = "0" * 64


def canonical(entry):
    return json.dumps(entry, sort_keys=True, separators=(",", ":"))


def data(number):
    return {
        "event": "sale", "id": f"0-{number}", "amount": 129.95, "quantity": 3, "store": "store-17",
        "items": [{"sku": "A-1001", "price": 39.99}, {"sku": "B-2002", "price": 49.97}],
    }


def append(path, entries):
    previous = GENESIS
    with open(path, "w") as file:
        for number in range(entries):
            # As the server has it: the data arrives as text.
            text = json.dumps(data(number))
            entry = {
                "seq": number, "ts": datetime.now(timezone.utc).isoformat(), "partition": "bench",
                "prev_hash": previous, "data": json.loads(text),
            }
            previous = hashlib.sha256(canonical(entry).encode()).hexdigest()
            entry["hash"] = previous
            file.write(json.dumps(entry, separators=(",", ":")) + "\n")
            file.flush()


def verify(path):
    previous, count = GENESIS, 0
    with open(path) as file:
        for line in file:
            entry = json.loads(line)
            claimed = entry.pop("hash")
            if entry["prev_hash"] != previous or entry["seq"] != count:
                raise SystemExit(f"line {count + 1}: not linked")
            previous = hashlib.sha256(canonical(entry).encode()).hexdigest()
            if previous != claimed:
                raise SystemExit(f"line {count + 1}: wrong hash")
            count += 1
    return count


def read(path):
    count = 0
    with open(path) as file:
        for line in file:
            count += json.loads(line)["seq"] == count
    return count


def main():
    path, entries = sys.argv[1], int(sys.argv[2])
    rates = {}
    for name, work in (
        ("append", lambda: append(path, entries)),
        ("verify", lambda: verify(path)),
        ("read", lambda: read(path)),
    ):
        begun = time.perf_counter()
        count = work()
        rates[name] = entries / (time.perf_counter() - begun)
        if count not in (None, entries):
            raise SystemExit(f"{name}: {count} entries of {entries}")
    print(json.dumps(rates))


main()
