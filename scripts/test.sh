#!/usr/bin/env bash
# Runs all tests of the workspace against real parts: PostgreSQL, k6, Kafka and a browser, which it finds
# or fetches first. Works as root and as an ordinary user, without a Docker engine too. Then the own tests of the
# contenders whose toolchain is here; the others are named as left out.
# The last line is the total over all test programs: "N passed, N failed".
# Usage: scripts/test.sh [cargo test arguments]      e.g. scripts/test.sh -p ingest
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'test.sh: %s\n' "$*"; }

# from_apt PACKAGE LEFT_OUT PROGRAM...: where none of these programs is there, root installs the Debian package; where that
# cannot be, says which tests are left out.
from_apt() {
    local package=$1 left_out=$2 program
    shift 2
    for program; do
        if PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; then return; fi
    done
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        say "installing $package"
        if apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then return; fi
    fi
    say "no $1 found: $left_out"
}

# Topics and ingestion are also tested on real Kafka brokers; without Java and Maven those tests are left out.
# Sets with_kafka.
find_kafka() {
    local program
    for program in java mvn; do
        if ! command -v "$program" >/dev/null; then
            say "no '$program' found: the tests that run Kafka brokers are left out"
            return
        fi
    done
    say "tools: Kafka"
    scripts/kafka.sh fetch
    with_kafka=true
}

# The tests of topics and ingestion on Kafka. A run of their own: other tests build the services without Kafka, in the same
# place.
kafka_tests() {
    local package packages=(event-log producer-grpc producer-rest sink) scope=() features=() status=0
    for package in "${packages[@]}"; do
        scope+=(-p "$package")
        features+=(--features "$package/kafka")
    done
    say "cargo test ${scope[*]} with Kafka"
    cargo test "${scope[@]}" "${features[@]}" --no-fail-fast --test it -- kafka || status=1
    session_on_kafka || status=1
    return "$status"
}

# A session of the lab over producers, broker and sink, with the binaries that the tests before have built: the session builds
# services without Kafka in their place.
session_on_kafka() {
    local target binaries
    target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
    binaries=$target/on-kafka
    mkdir -p "$binaries"
    cp "$target"/debug/{producer-rest,producer-grpc,sink} "$binaries"
    say "cargo test -p weir --features weir/kafka --test it -- kafka"
    KAFKA_BIN_DIR=$binaries cargo test -p weir --features weir/kafka --test it -- kafka
}

# contender NAME TOOL PATTERN COMMAND...: the tests of one contender, and a line that counts those that match PATTERN.
contender() {
    local name=$1 tool=$2 pattern=$3 output passed failed=0
    shift 3
    if ! command -v "$tool" >/dev/null; then
        say "contenders/$name is left out: $tool is not installed"
        return
    fi
    say "contenders/$name: $*"
    output=$("$@" 2>&1) || failed=1
    passed=$(grep --count --extended-regexp "$pattern" <<<"$output" || true)
    if [[ $failed == 1 ]]; then printf '%s\n' "$output"; fi
    printf 'test result: contenders/%s. %d passed; %d failed\n' "$name" "$passed" "$failed"
    return "$failed"
}

contenders() {
    local status=0
    # shellcheck source=shared/own-database.sh
    source scripts/shared/own-database.sh
    trap stop_database EXIT
    start_database
    export TEST_DATABASE_URL=$DATABASE_URL
    contender go go '^ *--- PASS' go test -C contenders/go -v ./... || status=1
    contender java mvn 'Tests run: .*-- in ' mvn -B -f contenders/java/pom.xml test || status=1
    contender rust cargo '^test .* ok$' cargo test --locked --manifest-path contenders/rust/Cargo.toml \
        --target-dir target/contenders/rust || status=1
    stop_database
    trap - EXIT
    return "$status"
}

# total LOG STATUS: one line over all "test result:" lines.
total() {
    awk -v status="$2" '
        /^test result: / { passed += $4; failed += $6 }
        END {
            # a program that crashed or did not compile has no result line
            if (status != 0 && failed == 0) failed = 1
            printf "%d passed, %d failed\n", passed, failed
        }' "$1"
}

main() {
    cd "$root"
    if [[ ${1:-} == --help || ${1:-} == -h ]]; then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
    fi
    local log status=0
    log=$(mktemp)
    # shellcheck disable=SC2064  # the path of now
    trap "rm -f '$log'" EXIT

    say "tools: PostgreSQL and k6"
    scripts/native-tools.sh
    set -a
    # shellcheck source=/dev/null
    source .tools/env
    set +a
    from_apt chromium "the tests that open the report are left out" \
        chromium chromium-browser google-chrome google-chrome-stable
    from_apt pgbouncer "the test of producers behind it is left out" pgbouncer
    from_apt iproute2 "the test of generators in network namespaces is left out" ip
    from_apt nginx-light "the test of scripts/one-pair.sh is left out" nginx
    local with_kafka=false
    find_kafka

    local scope=(--workspace) argument
    for argument; do
        case $argument in -p | --package | -p* | --package=*) scope=() ;; esac
    done
    say "cargo test ${scope[*]-} --no-fail-fast $*"
    cargo test ${scope[@]+"${scope[@]}"} --no-fail-fast "$@" 2>&1 | tee "$log" || status=$?
    if [[ ${#scope[@]} != 0 ]]; then
        if [[ $with_kafka == true ]]; then kafka_tests 2>&1 | tee -a "$log" || status=1; fi
        contenders 2>&1 | tee -a "$log" || status=1
    fi
    total "$log" "$status"
    exit "$status"
}

main "$@"
