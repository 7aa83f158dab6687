#!/usr/bin/env bash
# Measures event services against each other, one at a time, and writes a report.
# Builds the lab's command (target/release/weir) and hands over to `weir run`, which decides all the rest.
# Leaves behind: target/, .tools/, .weir/ and load-test/results/, all ignored by git.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
modes_file=$root/load-test/k6/lib/modes.json
targets_file=$root/load-test/targets.toml

usage() {
    cat <<EOF
Usage: run-sequential-throughput-tests.sh MODE [TARGET[,TARGET]] [PAYLOAD[,PAYLOAD]] [OPTIONS]

  MODE      $(listed modes)
  TARGET    $(listed targets); '' or none: the default ones
  PAYLOAD   $(listed payloads); none: all sizes, of balance, stream and log default alone

  --scenario NAME                whose default targets are meant: $(listed scenarios)
                                 (default: that of the targets named, else ingest)
  --runtime docker|native|auto   where the services run (default auto: Docker where it works)
  --trials N                     measure each target and payload so often, in random order (compare: 6)
  --rate N                       arrivals a second, in mode compare
  --seed N                       of payloads and order
  --resume [SESSION]             only the runs that an unfinished session has left (default: the newest)
  --keep                         leave the databases running at the end
  --json                         print the outcome as JSON
  -h, --help                     this text

  PHASE_SCALE=0.05 shortens the phases for a trial run.

Examples: smoke              all default targets, all sizes: does it work?
          smoke producer-rest 8k
          full '' 32k
          smoke --scenario all
          compare producer-rest,producer-grpc default --rate 500
EOF
}

# listed modes|targets|payloads|scenarios: the names that the data files hold.
listed() {
    if [[ $1 == targets ]]; then
        sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$targets_file" | paste -sd ' ' -
    elif [[ $1 == scenarios ]]; then
        echo "$(sed -n 's/^scenario *= *"\([^"]*\)".*/\1/p' "$targets_file" | uniq | paste -sd ' ' -) all"
    else
        python3 -c 'import json, sys; print(*json.load(open(sys.argv[1]))[sys.argv[2]])' "$modes_file" "$1"
    fi
}

# refuse PROBLEM: wrong arguments.
refuse() {
    printf '%s\n\n' "$1" >&2
    usage >&2
    exit 64
}

# known LIST WORDS: every part of the comma-separated WORDS is in LIST.
known() {
    local word
    for word in ${2//,/ }; do
        [[ " $(listed "$1") " == *" $word "* ]] || refuse "'$word' is none of the $1."
    done
}

main() {
    command -v python3 >/dev/null || { echo "python3 is needed and not installed." >&2; exit 1; }
    if [[ " $* " == *" -h "* || " $* " == *" --help "* ]]; then
        usage
        exit 0
    fi
    # What can be seen to be wrong is refused before the build; `weir` checks everything again.
    [[ -n ${1-} ]] || refuse "No mode is given."
    if [[ $1 != -* ]]; then
        known modes "$1"
        if [[ ${2-} != -* ]]; then known targets "${2-}"; fi
        if [[ ${2-} != -* && ${3-} != -* ]]; then known payloads "${3-}"; fi
    fi
    local word previous=
    for word in "$@"; do
        if [[ $previous == --scenario ]]; then known scenarios "$word"; fi
        if [[ $word == --scenario=* ]]; then known scenarios "${word#*=}"; fi
        previous=$word
    done
    command -v cargo >/dev/null || { echo "cargo is needed and not installed: see https://rustup.rs" >&2; exit 1; }

    local binary=${CARGO_TARGET_DIR:-$root/target}/release/weir
    [[ -x $binary ]] || echo "Building weir; the first time this takes several minutes." >&2
    cargo build --release --locked --manifest-path "$root/Cargo.toml" --package weir
    exec env WEIR_ROOT="$root" "$binary" run "$@"
}

main "$@"
