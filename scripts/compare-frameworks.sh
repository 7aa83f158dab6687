#!/usr/bin/env bash
# Measures producer-rest (actix-web) against its example on axum: the same route, use case, database and load, one after the
# other, in alternating order. Prints a row a trial as CSV, for `weir judge`. Starts a PostgreSQL of its own in a temporary
# folder and leaves nothing behind but target/.
# Usage: scripts/compare-frameworks.sh [ROUNDS] [SECONDS]     (default 8 rounds of 8 s; needs postgres as scripts/native-tools.sh finds it)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rounds=${1-8} seconds=${2-8}
service=''

usage() {
    sed -n 's/^# Usage: //p' "${BASH_SOURCE[0]}" >&2
    exit 64
}

stop() {
    local status=$?
    end "$service"
    stop_database
    exit "$status"
}

# shellcheck source=shared/own-database.sh
source "$root/scripts/shared/own-database.sh"

# trial ROUND NAME PROGRAM
trial() {
    local used stored
    SERVER_PORT=18081 LOG_LEVEL=warn "$3" >/dev/null 2>&1 &
    service=$!
    await "$2" curl --silent --fail http://127.0.0.1:18081/api/v1/events/health
    query 'TRUNCATE car_entities'
    query 'CHECKPOINT'
    used=$(ticks "$service")
    "$root/target/release/benchmark" --url http://127.0.0.1:18081 --concurrency 200 --warmup 0s --duration "${seconds}s" --progress none >/dev/null
    used=$(($(ticks "$service") - used))
    stored=$(query 'SELECT count(*) FROM car_entities')
    end "$service"
    service=
    awk -v round="$1" -v target="$2" -v used="$used" -v stored="$stored" -v seconds="$seconds" \
        'BEGIN { printf "%d,%s,%.2f,%.0f\n", round, target, used * 10000 / stored, stored / seconds }'
}

main() {
    [[ $# -le 2 && $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || usage
    cd "$root"
    scripts/native-tools.sh --only postgres >&2
    # shellcheck source=/dev/null
    set -a && source "${WEIR_TOOLS_ENV-.tools/env}" && set +a
    [[ -n ${WITHOUT_BUILD-} ]] || cargo build --release --package producer-rest --package benchmark --bins --example axum >&2
    trap stop EXIT
    start_database
    printf 'round,target,cpu_us,events_per_second\n'
    local round order
    for ((round = 1; round <= rounds; round++)); do
        order=(actix-web axum)
        if ((round % 2 == 0)); then order=(axum actix-web); fi
        for target in "${order[@]}"; do
            case $target in
            actix-web) trial "$round" "$target" target/release/producer-rest ;;
            axum) trial "$round" "$target" target/release/examples/axum ;;
            esac
        done
    done
}

main "$@"
