#!/usr/bin/env bash
# Builds the producers and the sink with Apache Kafka into a folder of their own, so that the other builds stay as they are, and
# fetches Kafka (scripts/kafka.sh) where that has not been done.
# Leaves behind: target/kafka/PROFILE/{producer-rest,producer-grpc,sink}.
# Usage: scripts/build-on-kafka.sh [PROFILE]      release where it is left out; dev is in target/kafka/debug
set -euo pipefail

main() {
    if [[ ${1:-} == --help || ${1:-} == -h ]]; then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
        exit 0
    fi
    cd "$(dirname "${BASH_SOURCE[0]}")/.."
    scripts/kafka.sh fetch
    cargo build --locked --profile "${1:-release}" --target-dir target/kafka \
        --package producer-rest --package producer-grpc --package sink \
        --bin producer-rest --bin producer-grpc --bin sink \
        --features producer-rest/kafka,producer-grpc/kafka,sink/kafka
}

main "$@"
