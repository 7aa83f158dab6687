#!/usr/bin/env bash
# Measures how long producer-rest takes to refuse: 1,000 requests of each kind on one connection, one after the other. Prints a row
# a kind as CSV, times in milliseconds. Starts a PostgreSQL of its own, and leaves nothing behind but a build.
# Usage: scripts/measure-refusals.sh
# Environment: WITHOUT_BUILD=1 takes the binary that is there.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
service='' load=''
port=18081

# shellcheck source=shared/own-database.sh
source "$root/scripts/shared/own-database.sh"

# shellcheck disable=SC2329  # the trap calls it
stop() {
    local status=$?
    end "$load"
    end "$service"
    # A stopped process hears nothing.
    if [[ -n $database ]]; then kill -CONT -- "-$database" "$database" || true; fi 2>/dev/null
    stop_database
    exit "$status"
}

# start VARIABLE=VALUE...: the service with these settings.
start() {
    env "$@" SERVER_PORT=$port LOG_LEVEL=error target/release/producer-rest >/dev/null 2>&1 &
    service=$!
    await producer-rest curl --silent --fail "http://127.0.0.1:$port/api/v1/events/health"
}

# refusals NAME STATUS BODY: all answers have this status, or the script fails.
refusals() {
    python3 - "$port" "$@" <<'PYTHON'
import http.client, sys, time

port, name, expected, body = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
body = "x" * (2 << 20) if body == "LARGE" else body
times = []
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
for number in range(1000):
    begun = time.perf_counter()
    if len(body) > 1 << 20:
        # The answer comes before the body, so the body is not sent.
        connection.putrequest("POST", "/api/v1/events")
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders()
    else:
        connection.request("POST", "/api/v1/events", body, {"content-type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    times.append((time.perf_counter() - begun) * 1000)
    if answer.status != expected:
        sys.exit(f"{name}: request {number} was answered with {answer.status}, not with {expected}")
    if answer.will_close:
        connection.close()
times.sort()
print(f"{name},{expected},{times[499]:.2f},{times[989]:.2f},{times[-1]:.2f}")
PYTHON
}

main() {
    (($# == 0)) || { sed -n 's/^# Usage: //p' "${BASH_SOURCE[0]}" >&2; exit 64; }
    cd "$root"
    scripts/native-tools.sh --only postgres >&2
    # shellcheck source=/dev/null
    set -a && source "${WEIR_TOOLS_ENV-.tools/env}" && set +a
    [[ -n ${WITHOUT_BUILD-} ]] || cargo build --release --bin producer-rest --bin benchmark >&2
    trap stop EXIT
    start_database
    local event='{"eventHeader":{"eventName":"CarCreated"},"eventBody":{"entities":[{"entityType":"Car","entityId":"a"}]}}'
    printf 'refusal,status,p50_ms,p99_ms,max_ms\n'
    start
    refusals 'not an event' 400 '{"eventBody":{}}'
    refusals 'too large' 413 LARGE
    end "$service"

    start QUEUE_CAPACITY=16 REQUEST_TIMEOUT=60s DATABASE_ACQUIRE_TIMEOUT=60s
    # What is under way waits, the queue fills, the rest is refused.
    pkill -STOP -P "$database" postgres || true
    target/release/benchmark --url "http://127.0.0.1:$port" --concurrency 64 --warmup 0s --duration 30s --timeout 60s --progress none >/dev/null 2>&1 &
    load=$!
    sleep 2
    refusals 'the database is frozen' 503 "$event"
    pkill -CONT -P "$database" postgres || true
    end "$load"
    load=''
    end "$service"

    start
    end "$database"
    database=''
    # The first ones reveal it.
    for _ in 1 2 3 4 5; do
        curl --silent --output /dev/null --header 'content-type: application/json' --data "$event" "http://127.0.0.1:$port/api/v1/events" || true
    done
    refusals 'the database is away' 503 "$event"
}

main "$@"
