#!/usr/bin/env bash
# Measures what group commit is worth: docs/guides/performance.md says how. Builds release binaries, finds or
# fetches PostgreSQL, and runs `benchmark ratios` on an otherwise idle machine, for about fifteen minutes.
# Leaves target/, .tools/ and load-test/results/ratios-<time>/ behind.
# Usage: scripts/measure-performance.sh [options of `benchmark ratios`]    e.g. --pairs 7 --only rest-pgbench
# Exit 0 when every figure reaches its floor and nothing was lost, 1 otherwise, 64 on wrong usage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

main() {
    cd "$root"
    scripts/native-tools.sh --only postgres
    cargo build --release -p benchmark -p producer-rest -p producer-grpc
    local folder=${CARGO_TARGET_DIR:-target}/release status=0
    "$folder/benchmark" ratios --root "$root" "$@" || status=$?
    # clap's status for wrong usage is 2, this repository's scripts use sysexits' 64
    if ((status == 2)); then
        status=64
    fi
    exit "$status"
}

main "$@"
