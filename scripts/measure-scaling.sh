#!/usr/bin/env bash
# Measures how far more instances go on this machine, and prints a row a trial as CSV:
#   producers   1, 2 and 4 producer-rest on one PostgreSQL, under one load in all
#   streams     1, 2 and 4 stream services on one PostgreSQL, 100 subscribers in all that replay the seeded transactions over SSE
#   sinks       1, 2 and 4 sinks that merge a full topic of 12 partitions
#   brokers     producer-rest onto 1 and 3 brokers; an event counts once all in-sync replicas have it
# Starts PostgreSQL and Kafka of its own, and leaves nothing behind but builds. docs/guides/scaling.md has the figures.
# Usage: scripts/measure-scaling.sh [all|producers|streams|sinks|brokers] [ROUNDS] [SECONDS]     (default all, 3 rounds of 10 s)
# Environment: WITHOUT_BUILD=1 takes the binaries that are there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
what=${1-all} rounds=${2-3} seconds=${3-10}
in_flight=200 subscribers=100
services=() work='' brokers_up=false

usage() {
    sed -n 's/^# Usage: //p' "${BASH_SOURCE[0]}" >&2
    exit 64
}

# shellcheck source=shared/own-database.sh
source "$root/scripts/shared/own-database.sh"

# shellcheck disable=SC2329  # the trap calls it
stop() {
    local status=$?
    end_services
    end_brokers
    stop_database
    [[ -z $work ]] || rm -rf "$work"
    exit "$status"
}

end_services() {
    local service
    for service in ${services[@]+"${services[@]}"}; do end "$service"; done
    services=()
}

end_brokers() {
    if [[ $brokers_up == true ]]; then "$root/scripts/kafka.sh" down --dir "$work/kafka" >/dev/null; fi
    brokers_up=false
}

# ticks_of PID...: CPU of these processes so far, in hundredths of a second.
ticks_of() {
    local sum=0 process
    for process; do sum=$((sum + $(ticks "$process"))); done
    echo "$sum"
}

# CPU of PostgreSQL: the server, its children that run, and those that it has waited for.
database_ticks() {
    # A process may end between the look and the reading.
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | sed 's/(.*) //' | awk -v parent="$database" '
        $3 == parent || $1 == parent { sum += $12 + $13 }
        $1 == parent { sum += $14 + $15 }
        END { print sum }'
}

# row PART INSTANCES ROUND EVENTS SECONDS SERVICE_TICKS DATABASE_TICKS
row() {
    awk -v part="$1" -v instances="$2" -v round="$3" -v events="$4" -v seconds="$5" -v service="$6" -v database="$7" 'BEGIN {
        each = events > 0 ? 10000 / events : 0
        printf "%s,%d,%d,%.0f,%.1f,%.1f\n", part, instances, round, events / seconds, service * each, database * each
    }'
}

# load INSTANCES: one load in all, a part of it to each of the producers from port 18081 on; no id is used twice.
load() {
    local number loads=() each=$((in_flight / $1)) failed=0
    for ((number = 0; number < $1; number++)); do
        target/release/benchmark --url "http://127.0.0.1:$((18081 + number))" --concurrency "$each" \
            --first-worker $((number * each)) --run-id "scaling-$RANDOM" --warmup 0s --duration "${seconds}s" --progress none \
            >"$work/load-$number.log" 2>&1 &
        loads+=($!)
    done
    for number in "${loads[@]}"; do wait "$number" || failed=1; done
    if ((failed)); then tail -n 3 "$work"/load-*.log >&2; fi
    return "$failed"
}

# start_producers INSTANCES PROGRAM
start_producers() {
    local number
    for ((number = 0; number < $1; number++)); do
        SERVER_PORT=$((18081 + number)) LOG_LEVEL=warn "$2" >"$work/producer-$number.log" 2>&1 &
        services+=($!)
    done
    for ((number = 0; number < $1; number++)); do
        await "producer $number" curl --silent --fail "http://127.0.0.1:$((18081 + number))/api/v1/events/health"
    done
}

# producers ROUND INSTANCES
producers() {
    local service database_used
    start_producers "$2" target/release/producer-rest
    query 'TRUNCATE car_entities'
    query 'CHECKPOINT'
    service=$(ticks_of "${services[@]}") database_used=$(database_ticks)
    load "$2"
    service=$(($(ticks_of "${services[@]}") - service)) database_used=$(($(database_ticks) - database_used))
    row producers "$2" "$1" "$(query 'SELECT count(*) FROM car_entities')" "$seconds" "$service" "$database_used"
    end_services
}

# streams ROUND INSTANCES
streams() {
    local number clients=() service database_used events
    target/release/weir seed >/dev/null
    for ((number = 0; number < $2; number++)); do
        SERVER_PORT=$((18081 + number)) GRPC_SERVER_PORT=0 LOG_LEVEL=warn target/release/stream >"$work/stream-$number.log" 2>&1 &
        services+=($!)
    done
    for ((number = 0; number < $2; number++)); do
        await "stream $number" curl --silent --fail "http://127.0.0.1:$((18081 + number))/health"
    done
    service=$(ticks_of "${services[@]}") database_used=$(database_ticks)
    for ((number = 0; number < $2; number++)); do
        target/release/benchmark --scenario stream --url "http://127.0.0.1:$((18081 + number))" --clients $((subscribers / $2)) \
            --duration "${seconds}s" --json "$work/stream-$number.json" --progress none >/dev/null &
        clients+=($!)
    done
    for number in "${clients[@]}"; do wait "$number"; done
    service=$(($(ticks_of "${services[@]}") - service)) database_used=$(($(database_ticks) - database_used))
    events=$(python3 -c 'import json, sys; print(sum(json.load(open(file))["events"]["measured"] for file in sys.argv[1:]))' \
        "$work"/stream-*.json)
    rm "$work"/stream-*.json
    row streams "$2" "$1" "$events" "$seconds" "$service" "$database_used"
    end_services
}

# start_brokers COUNT: an empty cluster; exports its address.
start_brokers() {
    brokers_up=true
    "$root/scripts/kafka.sh" up "$1" --measured --dir "$work/kafka" --port 24000 >"$work/brokers"
    KAFKA_BROKERS=$(sed -n 's/^KAFKA_BROKERS=//p' "$work/brokers")
    export KAFKA_BROKERS
}

# brokers ROUND COUNT
brokers() {
    local service acknowledged
    start_brokers "$2"
    WRITE_MODE=kafka start_producers 1 target/kafka/release/producer-rest
    service=$(ticks_of "${services[@]}")
    load 1
    service=$(($(ticks_of "${services[@]}") - service))
    acknowledged=$(acknowledged)
    row brokers "$2" "$1" "$acknowledged" "$seconds" "$service" 0
    end_services
    end_brokers
}

# Events that the producer has acknowledged: its own count.
acknowledged() {
    curl --silent --fail http://127.0.0.1:18081/metrics |
        awk '/^ingest_events_total/ { sum += $NF } END { printf "%d", sum }'
}

# merged INSTANCES: events that the sinks have merged.
merged() {
    local number
    for ((number = 0; number < $1; number++)); do curl --silent --fail "http://127.0.0.1:$((19092 + number))/metrics" || true; done |
        awk '/^sink_events_total/ { sum += $NF } END { printf "%d", sum }'
}

# sinks ROUND INSTANCES: the topic is filled first, so that the sinks alone are the limit.
sinks() {
    local number waiting began now service database_used
    start_brokers 1
    query 'DROP TABLE IF EXISTS sink_offsets'
    WRITE_MODE=kafka start_producers 1 target/kafka/release/producer-rest
    load 1
    waiting=$(acknowledged)
    end_services
    query 'TRUNCATE car_entities'
    query 'CHECKPOINT'
    for ((number = 0; number < $2; number++)); do
        ADMIN_PORT=$((19092 + number)) LOG_LEVEL=warn target/kafka/release/sink >"$work/sink-$number.log" 2>&1 &
        services+=($!)
    done
    while (($(merged "$2") == 0)); do sleep 0.05; done
    began=$(date +%s%N)
    service=$(ticks_of "${services[@]}") database_used=$(database_ticks)
    while (($(merged "$2") < waiting)); do
        sleep 0.1
        if (($(date +%s%N) - began > 300000000000)); then
            echo "measure-scaling.sh: $(merged "$2") of $waiting events merged after 300 s" >&2
            return 1
        fi
    done
    now=$(date +%s%N)
    service=$(($(ticks_of "${services[@]}") - service)) database_used=$(($(database_ticks) - database_used))
    row sinks "$2" "$1" "$waiting" "$(awk -v ns=$((now - began)) 'BEGIN { print ns / 1e9 }')" "$service" "$database_used"
    end_services
    end_brokers
    number=$(query 'SELECT count(*) FROM car_entities')
    if ((number != waiting)); then
        echo "measure-scaling.sh: $waiting events were acknowledged, and $number are stored" >&2
        return 1
    fi
}

main() {
    [[ $# -le 3 && $rounds =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || usage
    case $what in all | producers | streams | sinks | brokers) ;; *) usage ;; esac
    cd "$root"
    scripts/native-tools.sh --only postgres >&2
    # shellcheck source=/dev/null
    set -a && source "${WEIR_TOOLS_ENV-.tools/env}" && set +a
    if [[ -z ${WITHOUT_BUILD-} ]]; then
        cargo build --release --bin producer-rest --bin stream --bin benchmark --bin weir >&2
        if [[ $what != producers && $what != streams ]]; then scripts/build-on-kafka.sh >&2; fi
    fi
    work=$(mktemp -d)
    trap stop EXIT
    start_database
    printf 'part,instances,round,events_per_second,service_cpu_us,database_cpu_us\n'
    local round instances
    for ((round = 1; round <= rounds; round++)); do
        for instances in 1 2 4; do
            case $what in all | producers) producers "$round" "$instances" ;; esac
            case $what in all | streams) streams "$round" "$instances" ;; esac
            case $what in all | sinks) sinks "$round" "$instances" ;; esac
        done
        for instances in 1 3; do
            case $what in all | brokers) brokers "$round" "$instances" ;; esac
        done
    done
}

main "$@"
