#!/usr/bin/env bash
# Measures the producers of all stacks against pgbench with one upsert a transaction: durable events a second, the ratio,
# and the service's CPU an event. Everything runs on this machine, one at a time, on a PostgreSQL of its own.
# Leaves nothing behind. What is not built is left out and named.
# Usage: contenders/measure.sh [NAME...]      e.g. contenders/measure.sh producer-go-rest producer-java-rest
# Needs: WEIR_PG_BIN (see .tools/env), a release build of `benchmark` and of what is measured; BIN says where
# [default: target/release]. SECONDS_EACH, WARMUP: length of the window and of the load before it [10, 20].
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=${BIN:-$root/target/release}
pg=${WEIR_PG_BIN:?set it as .tools/env does}
seconds=${SECONDS_EACH:-10}
warmup=${WARMUP:-20}
port=15499
url=postgresql://postgres@127.0.0.1:$port/car_entities
keys=100000

# name, protocol, variable of its port, command
targets() {
    cat <<END
producer-rest rest SERVER_PORT $bin/producer-rest
producer-grpc grpc GRPC_SERVER_PORT $bin/producer-grpc
producer-go-rest rest SERVER_PORT $root/target/contenders/go/producer-go-rest
producer-go-grpc grpc GRPC_SERVER_PORT $root/target/contenders/go/producer-go-grpc
producer-java-rest rest SERVER_PORT $root/contenders/java/bin/producer-java-rest
producer-java-grpc grpc GRPC_SERVER_PORT $root/contenders/java/bin/producer-java-grpc
producer-axum-rest rest SERVER_PORT $root/target/contenders/rust/release/producer-axum-rest
producer-tonic-sqlx grpc GRPC_SERVER_PORT $root/target/contenders/rust/release/producer-tonic-sqlx
END
}

# PostgreSQL refuses to run as root.
as_postgres() {
    if [[ $(id -u) == 0 ]]; then
        setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
    else
        "$@"
    fi
}

start_postgres() {
    chmod 755 "$folder"
    mkdir "$folder/data"
    if [[ $(id -u) == 0 ]]; then chown postgres: "$folder/data"; fi
    as_postgres "$pg/initdb" -D "$folder/data" -U postgres -A trust >/dev/null
    # Below the checkout it may not be readable for that user.
    cat "$root/postgres/settings.conf" >>"$folder/data/postgresql.conf"
    as_postgres "$pg/pg_ctl" -D "$folder/data" -w -l "$folder/data/log" \
        -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=" \
        start >/dev/null
    sql() { psql -qAt -h 127.0.0.1 -p "$port" -U postgres "$@"; }
    sql -d postgres -c 'CREATE DATABASE car_entities'
    sql -d car_entities -f "$root/contenders/go/internal/store/schema.sql"
}

# CPU seconds of a process and what it has waited for, in clock ticks.
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

fresh() { sql -d car_entities -c 'TRUNCATE car_entities' -c CHECKPOINT; }

pgbench_rate() {
    cat >"$folder/upsert.sql" <<END
\\set key random(1, $keys)
INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)
VALUES ('Car', 'car-pgbench-' || :key::text, now(), now(), :attributes::text::jsonb)
ON CONFLICT (entity_type, id) DO UPDATE
SET data = entity.data || excluded.data, updated_at = excluded.updated_at;
END
    fresh
    "$pg/pgbench" -n -M prepared -h 127.0.0.1 -p "$port" -U postgres -c 50 -j 2 -T "$seconds" -f "$folder/upsert.sql" \
        -D "attributes={\"model\":\"Roadster\",\"year\":2024,\"filler\":\"$(printf 'x%.0s' {1..340})\",\"n\":1}" car_entities 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

# measure NAME PROTOCOL VARIABLE COMMAND: one line of the table
measure() {
    local name=$1 protocol=$2 variable=$3 command=$4 own=15500 pid before after result
    if [[ ! -x $command ]]; then
        echo "| $name | not built | | | |"
        return
    fi
    fresh
    env "$variable=$own" HOST=127.0.0.1 ADMIN_PORT=0 DATABASE_URL="$url" DATABASE_POOL_SIZE=10 \
        PERSISTED_COUNT_LOG_EVERY=1000000 "$command" >"$folder/$name.log" 2>&1 &
    pid=$!
    local load=("$bin/benchmark" --progress=none --url "http://127.0.0.1:$own" --protocol "$protocol" --concurrency 64
        --keys "$keys" --warmup=0s)
    local tries=0
    until (exec 3<>"/dev/tcp/127.0.0.1/$own") 2>/dev/null; do
        tries=$((tries + 1))
        if ((tries > 300)) || ! kill -0 "$pid" 2>/dev/null; then
            echo "| $name | did not start | | | |"
            return
        fi
        sleep 0.1
    done
    "${load[@]}" --run-id warm --duration="${warmup}s" >/dev/null 2>&1 || true
    before=$(ticks "$pid")
    result=$("${load[@]}" --run-id measured --duration="${seconds}s" --json=- 2>/dev/null || true)
    after=$(ticks "$pid")
    kill "$pid" && wait "$pid" 2>/dev/null || true
    printf '%s\n' "$result" | awk -v name="$name" -v pgbench="$baseline" -v ticks="$((after - before))" -v hz="$(getconf CLK_TCK)" '
        /"eventsPerSecond"/ { gsub(/[^0-9.]/, "", $2); rate = $2 }
        /"acknowledged"/ { gsub(/[^0-9]/, "", $2); events = $2 }
        /"failed"/ { gsub(/[^0-9]/, "", $2); failed += $2 }
        /"p99"/ && !p99 { gsub(/[^0-9.]/, "", $2); p99 = $2 }
        END { printf "| %s | %d | %.2f | %.0f | %.1f |%s\n", name, rate, rate / pgbench, events ? ticks / hz * 1e6 / events : 0, p99,
              failed ? " " failed " failed" : "" }'
}

# stop_all FOLDER: whatever has been started, and the folder.
stop_all() {
    local jobs
    jobs=$(jobs -p)
    if [[ -n $jobs ]]; then xargs kill <<<"$jobs" 2>/dev/null || true; fi
    as_postgres "$pg/pg_ctl" -D "$1/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$1"
}

main() {
    folder=$(mktemp -d /var/tmp/weir-contenders-XXXXXX)
    # shellcheck disable=SC2064  # the path of now
    trap "stop_all '$folder'" EXIT
    start_postgres
    baseline=$(pgbench_rate)
    echo "| producer | events/s | to pgbench | CPU us an event | p99 ms |"
    echo "|---|---|---|---|---|"
    echo "| pgbench, one upsert a transaction, 50 clients | ${baseline%.*} | 1.00 | | |"
    local wanted=" $* "
    while read -r name protocol variable command; do
        [[ $# == 0 || $wanted == *" $name "* ]] || continue
        measure "$name" "$protocol" "$variable" "$command" </dev/null
    done < <(targets)
}

main "$@"
