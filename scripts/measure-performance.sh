#!/usr/bin/env bash
# Measures what the services reach, and whether that meets the bounds: docs/guides/performance.md says how. Builds
# release binaries, finds or fetches PostgreSQL, and runs `ratios` on an otherwise idle machine.
# Leaves target/, .tools/ and load-test/results/ratios-<time>/ behind; ratios.md there can be pasted into the guide.
# Usage: scripts/measure-performance.sh [ingest|bulk|balance|protection|stream|crowd|log|rates|all] [options of `ratios`]
#        e.g. balance --pairs 7, or --only rest-pgbench
# Exit 0 when every figure meets its bound and nothing was lost, 1 otherwise, 64 on wrong usage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() {
    echo "usage: scripts/measure-performance.sh [ingest|bulk|balance|protection|stream|crowd|log|rates|all] [options of 'ratios']" >&2
    exit 64
}

main() {
    local what=all packages=(ratios)
    case "${1:-}" in
    ingest | bulk | balance | protection | stream | crowd | log | rates | all)
        what=$1
        shift
        ;;
    "" | -*) ;;
    *) usage ;;
    esac
    case "$what" in
    ingest | bulk | protection) packages+=(producer-rest producer-grpc) ;;
    balance | stream) packages+=("$what") ;;
    crowd) packages+=(stream) ;;
    log) packages+=(event-log) ;;
    rates) packages+=(producer-rest producer-grpc balance) ;;
    all) packages+=(producer-rest producer-grpc balance stream event-log) ;;
    esac

    cd "$root"
    if [[ "$what" != log ]]; then
        scripts/native-tools.sh --only postgres
    fi
    cargo build --release "${packages[@]/#/--package=}"
    exec "${CARGO_TARGET_DIR:-target}/release/ratios" "$what" --root "$root" "$@"
}

main "$@"
