#!/usr/bin/env bash
# Does to the services what a year of production would, and counts what they lost: builds them and the driver, and hands over.
# Leaves nothing behind; where a promise was broken, data and logs stay, and the last lines say where.
# Usage: scripts/campaign.sh [--debug] [--minutes N] [--only NAME] ...      (--help lists all)
#        scripts/campaign.sh kafka [KILLS]      ingestion on Apache Kafka: that many sinks and brokers killed (100); debug builds
# --debug takes debug builds, which a test run has made already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Ingestion on Kafka has a campaign of its own: a test, with more kills than a run of all tests makes.
on_kafka() {
    local kills=${1:-100}
    [[ $kills =~ ^[1-9][0-9]{0,5}$ ]] || {
        printf "campaign.sh: KILLS must be a number from 1 to 999999, not '%s'\n" "$kills" >&2
        exit 64
    }
    scripts/native-tools.sh >&2
    scripts/kafka.sh fetch >&2
    set -a
    # shellcheck source=/dev/null
    source .tools/env
    set +a
    SINK_KILLS=$kills exec cargo test --locked --package sink --features sink/kafka --test it -- --nocapture kills
}

main() {
    cd "$root"
    if [[ ${1:-} == kafka ]]; then
        shift
        on_kafka "$@"
    fi
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
