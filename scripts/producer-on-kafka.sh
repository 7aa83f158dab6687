#!/usr/bin/env bash
# Runs a producer that writes to Apache Kafka, with one broker and one sink of its own, until SIGTERM, SIGINT or the end of one
# of the three. All are its descendants: who samples this process with them samples what an event costs from the request
# to the row. For the lab (load-test/targets.toml, producer-rest-kafka); needs Java 17 or later.
# Leaves nothing behind but the log on standard error.
# Usage: scripts/producer-on-kafka.sh producer-rest|producer-grpc BIN_DIR
# Environment: DATABASE_URL and the producer's settings; SINK_ADMIN_PORT, the sink's port of /metrics (default 9092).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# A broker is ready within 6 s here; one that is not has been seen to stay so.
READY_WITHIN_S=30
PORT_TRIES=5

say() { printf 'producer-on-kafka.sh: %s\n' "$*" >&2; }

usage_error() {
    say "$*"
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 64
}

# Ends the process whose number is in variable $1, and waits for it.
end() {
    local -n number=$1
    [[ -n $number ]] || return 0
    kill -TERM "$number" 2>/dev/null || true
    wait "$number" || true
    number=''
}

# In the order of the events' way: nothing waits for what is gone. Keeps the exit status.
# shellcheck disable=SC2329  # the trap calls it
stop() {
    local status=$?
    trap - EXIT
    end producer
    end sink
    end broker
    rm -rf "$work"
    exit "$status"
}

# Sets brokers, and broker to the process that holds one. Another process can take a port between the look and the start.
start_broker() {
    local try deadline
    for ((try = 0; try < PORT_TRIES; try++)); do
        "$root/scripts/kafka.sh" run --measured --dir "$work/cluster" --port $((20000 + RANDOM % 12000)) >"$work/printed" &
        broker=$!
        deadline=$((SECONDS + READY_WITHIN_S))
        while kill -0 "$broker" 2>/dev/null && ((SECONDS < deadline)); do
            brokers=$(sed -n 's/^KAFKA_BROKERS=//p' "$work/printed")
            if [[ -n $brokers ]]; then return; fi
            sleep 0.1
        done
        end broker
    done
    say "Kafka does not start (its reason is above)"
    exit 1
}

main() {
    if [[ ${1:-} == --help || ${1:-} == -h ]]; then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
    fi
    (($# == 2)) || usage_error "two arguments are needed, not $#"
    local name=$1 bin=$2
    [[ $name == producer-rest || $name == producer-grpc ]] || usage_error "unknown producer: $name"
    [[ $bin == /* ]] || bin=$root/$bin
    work=$(mktemp -d "$PWD/kafka.XXXXXX")
    producer='' sink='' broker='' brokers=''
    trap stop EXIT
    trap 'exit 0' TERM INT
    start_broker
    export KAFKA_BROKERS=$brokers
    ADMIN_PORT=${SINK_ADMIN_PORT:-9092} "$bin/sink" &
    sink=$!
    WRITE_MODE=kafka "$bin/$name" &
    producer=$!
    wait -n "$producer" "$sink" "$broker" || true
    say "the producer, the sink or the broker has ended by itself"
    exit 1
}

main "$@"
