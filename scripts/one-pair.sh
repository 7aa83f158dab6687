#!/usr/bin/env bash
#
# Serves balances and transactions on one pair of ports, as one server of an earlier system did: REST on 8080, gRPC on 50051.
# Starts `balance` and `stream` on free ports behind nginx, until Ctrl-C. The databases must be up (`make db-up`) and seeded
# (`make seed`). Leaves nothing behind.
#
# REST_PORT, GRPC_PORT and DATABASE_URL change what the names say; BIN_DIR is the folder of the services' programs.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=
children=()

usage() {
    sed -n '3,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
    printf 'Usage: scripts/one-pair.sh\n'
}

fail() {
    printf 'one-pair: %s\n' "$*" >&2
    exit 1
}

clean_up() {
    local status=$? child
    for child in ${children[@]+"${children[@]}"}; do kill "$child" 2>/dev/null || true; done
    wait || true
    if [[ -n $work ]]; then rm -rf "$work"; fi
    exit "$status"
}

# start NAME: a service on free ports; waits for the line that names them, and sets REST and GRPC.
start() {
    local name=$1 log=$work/$1.log bound tries
    SERVER_PORT=0 GRPC_SERVER_PORT=0 HOST=127.0.0.1 LOG_FORMAT=json "$bin/$name" >"$log" 2>&1 &
    children+=($!)
    for ((tries = 0; tries < 400; tries++)); do
        bound=$(grep -Eo '127\.0\.0\.1:[0-9]+' <(grep -i 'ready' "$log") | head -n 2 || true)
        if [[ $(wc -l <<<"$bound") -eq 2 ]]; then
            REST=$(sed -n 1p <<<"$bound")
            GRPC=$(sed -n 2p <<<"$bound")
            return
        fi
        kill -0 "${children[-1]}" 2>/dev/null || fail "$name ended: $(tail -n 3 "$log")"
        sleep 0.1
    done
    fail "$name is not ready after 40 s: $(tail -n 3 "$log")"
}

main() {
    case ${1:-} in
        '') ;;
        --help | -h)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 64
            ;;
    esac
    command -v nginx >/dev/null || fail "nginx is missing: install it, or use 'docker compose --profile one-pair up'"
    bin=${BIN_DIR:-$root/target/release}
    export DATABASE_URL=${DATABASE_URL:-postgresql://postgres:password@localhost:5432/car_entities}
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    start balance
    local balance_rest=$REST balance_grpc=$GRPC
    start stream
    local rest=${REST_PORT:-8080} grpc=${GRPC_PORT:-50051}
    {
        printf 'daemon off;\nworker_processes 1;\npid %s/nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n' "$work"
        local place
        for place in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path %s/%s;\n' "$place" "$work" "$place"; done
        sed -e "s/\${REST_PORT}/127.0.0.1:$rest/; s/\${GRPC_PORT}/127.0.0.1:$grpc/" \
            -e "s/\${BALANCE_REST}/$balance_rest/; s/\${BALANCE_GRPC}/$balance_grpc/" \
            -e "s/\${STREAM_REST}/$REST/; s/\${STREAM_GRPC}/$GRPC/" "$root/deploy/one-pair/server.conf"
        printf '}\n'
    } >"$work/nginx.conf"
    nginx -e stderr -c "$work/nginx.conf" &
    children+=($!)
    printf 'REST on 127.0.0.1:%s, gRPC on 127.0.0.1:%s; Ctrl-C ends both.\n' "$rest" "$grpc"
    wait -n || fail "a part has ended: $(tail -n 3 "$work"/*.log)"
}

main "$@"
