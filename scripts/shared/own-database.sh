# Sourced by scripts that measure: a PostgreSQL of their own on port 15432, in a temporary folder, with the lab's settings; and what they
# ask of processes. Needs WEIR_PG_BIN and root, the repository.
# shellcheck shell=bash disable=SC2154  # root is set by the script that sources this

folder='' database=''

# PostgreSQL refuses to run as root.
as_postgres=() postgres_user=postgres
if ((EUID == 0)); then
    id -u postgres >/dev/null 2>&1 || postgres_user=nobody
    as_postgres=(setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups)
fi

query() { "$WEIR_PG_BIN/psql" --host "$folder" --username postgres --no-psqlrc --quiet --tuples-only --no-align --command "$1" "${2-car_entities}"; }

await() {
    local what=$1 tries
    shift
    for ((tries = 0; tries < 300; tries++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    printf '%s did not become ready\n' "$what" >&2
    return 1
}

start_database() {
    folder=$(mktemp -d)
    if ((EUID == 0)); then chown "$postgres_user" "$folder"; fi
    chmod 755 "$folder"
    "${as_postgres[@]}" "$WEIR_PG_BIN/initdb" --pgdata "$folder/data" --username postgres --auth trust --no-sync >/dev/null
    install -m 644 "$root/postgres/settings.conf" "$folder/settings.conf"
    # exec: what is stopped has to be the server; a shell in the background ignores SIGINT.
    (cd / && exec "${as_postgres[@]}" "$WEIR_PG_BIN/postgres" -D "$folder/data" -c config_file="$folder/settings.conf" -c listen_addresses=127.0.0.1 \
        -c port=15432 -c unix_socket_directories="$folder" -c shared_buffers=512MB) >"$folder/log" 2>&1 &
    database=$!
    export PGPORT=15432 DATABASE_URL=postgresql://postgres@127.0.0.1:15432/car_entities
    await PostgreSQL query 'SELECT 1' postgres
    query 'CREATE DATABASE car_entities' postgres
}

# ticks PID: CPU of a process so far, in hundredths of a second.
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

# end PID: stops a process and waits for it; nothing where it is empty.
end() {
    if [[ -n $1 ]]; then kill -INT "$1" && wait "$1" || true; fi 2>/dev/null
}

# Stops the database and removes what it stored.
stop_database() {
    end "$database"
    [[ -z $folder ]] || rm -rf "$folder"
}
