#!/usr/bin/env bash
# Builds two checkouts of the service, measures them in rounds, and decides whether the second may replace the first.
# Leaves in OUT: figures.csv, verdict.json, gate.md (for the pull request), gate.xml (JUnit), bmf.json, badge.svg.
# Exit status, that of `weir gate`: 0 held, 1 regressed, 2 open; anything else: nothing was decided.
# Usage: gate.sh BASELINE_CHECKOUT CANDIDATE_CHECKOUT OUT [ROUNDS]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

main() {
    if (($# < 3)); then
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 64
    fi
    local baseline=$1 candidate=$2 out=$3 rounds=${4:-12}
    mkdir -p "$out"
    "$here/build.sh" "$baseline" "$out/builds/baseline" || exit 70
    "$here/build.sh" "$candidate" "$out/builds/candidate" || exit 70
    "$here/measure.py" --baseline "$out/builds/baseline" --candidate "$out/builds/candidate" \
        --rounds "$rounds" >"$out/figures.csv" || exit 70
    weir judge "$out/figures.csv" --verdict "$out/verdict.json" >/dev/null || exit 70
    weir gate "$out/verdict.json" --baseline baseline --candidate candidate --max-regression 20% \
        --markdown "$out/gate.md" --junit "$out/gate.xml" --bmf "$out/bmf.json" --badge "$out/badge.svg"
}

main "$@"
