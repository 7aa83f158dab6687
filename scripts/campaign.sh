#!/usr/bin/env bash
# Does to the services what a year of production would, and counts what they lost: builds them and the driver, and hands over.
# Leaves nothing behind; where a promise was broken, data and logs stay, and the last lines say where.
# Usage: scripts/campaign.sh [--debug] [--minutes N] [--only NAME] ...      (--help lists all)
# --debug takes debug builds, which a test run has made already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

main() {
    cd "$root"
    local profile=(--release)
    if [[ ${1:-} == --debug ]]; then
        profile=()
        shift
    fi
    scripts/native-tools.sh >&2
    local services=(producer-rest producer-grpc balance stream event-log) programs=(--bin campaign) service
    for service in "${services[@]}"; do programs+=(--bin "$service"); done
    # Of the whole workspace, as the lab builds them: then nothing is compiled twice.
    cargo build --locked ${profile[@]+"${profile[@]}"} --workspace "${programs[@]}"
    exec cargo run --locked --quiet ${profile[@]+"${profile[@]}"} --bin campaign -- --root "$root" "$@"
}

main "$@"
