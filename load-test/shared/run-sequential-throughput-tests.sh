#!/usr/bin/env bash
# Measures event services against each other, one at a time, and writes a report.
# Builds the lab's command `weir` and hands over to `weir run`, which decides all the rest; --help says what it takes.
# Leaves behind: target/ (or wherever cargo builds), .tools/, .weir/ and load-test/results/, all ignored by git.
# WEIR_BIN_DIR names a folder with binaries that are built already, weir among them.
set -euo pipefail

main() {
    local root
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    export WEIR_ROOT=$root WEIR_FRONT_DOOR=${0##*/}
    if [[ -n ${WEIR_BIN_DIR-} && -x $WEIR_BIN_DIR/weir ]]; then
        exec "$WEIR_BIN_DIR/weir" run "$@"
    fi
    command -v cargo >/dev/null || { echo "cargo is needed and not installed: see https://rustup.rs" >&2; exit 1; }
    # Not --package: all members choose the features, as when weir builds the services, and nothing is compiled twice.
    local weir=(--release --locked --manifest-path "$root/Cargo.toml" --bin weir)
    echo "Building weir and the default targets where they are not up to date; the first time this takes several minutes." >&2
    # In one go, so that no core waits for the last crate of weir; what else a session needs, weir builds.
    cargo build "${weir[@]}" --bin stats-sidecar --bin producer-rest --bin producer-grpc
    # Cargo knows where it has put the binary, and becomes it.
    exec cargo run --quiet "${weir[@]}" -- run "$@"
}

main "$@"
