#!/usr/bin/env bash
# Measures what docs/results shows, and writes its reports and the tables of its pages again.
# Leaves docs/results/{smoke,full,saturation,compare,producers,reconnect,scaling}/ (report.html, report.md, verdict.json) and, in load-test/results,
# what the sessions leave. The machine should have nothing else to do: all of it takes most of a day.
# PHASE_SCALE shortens the phases for a trial run; the reports then say so themselves.
# Exit status: 0 when all was measured and written, 64 on wrong usage, else that of what failed.
# Usage: scripts/refresh-results.sh [PART...]   parts: smoke full saturation compare producers reconnect scaling pages; none: all of them
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
results=$root/docs/results
# Every producer of the lab and of contenders/ that stores each event on its own terms: one upsert a request, or a shared commit.
producers=producer-rest,producer-grpc,producer-rest-single,producer-grpc-single,producer-go-rest,producer-go-grpc
producers+=,producer-java-rest,producer-java-grpc,producer-axum-rest,producer-tonic-sqlx
front_door=$root/load-test/shared/run-sequential-throughput-tests.sh

# measure NAME ARGUMENT...: a session, and its report as docs/results/NAME.
measure() {
    local name=$1 said session
    shift
    said=$("$front_door" "$@" --runtime native | tee /dev/stderr)
    session=$(sed -n 's|^Report: *.*/\([^/]*\)/report\.html$|\1|p' <<<"$said")
    mkdir -p "$results/$name"
    printf '%s\n' "$session" >"$results/$name/session"
    report "$name" "$session"
}

# report NAME SESSION...: one report over the sessions.
report() {
    local name=$1
    shift
    weir report "$@" --out "$results/$name" --format html,markdown,verdict
}

# weir ARGUMENT...: the binary that the front door has built.
weir() { "${WEIR_BIN_DIR:-$root/target/release}/weir" "$@"; }

# fill PAGE: replaces what stands between `<!-- rows REPORT PATTERN -->` and `<!-- end -->` with the rows of that report's tables
# that the pattern fits, under the head of their table.
fill() {
    local page=$1 filled line report='' pattern
    filled=$(mktemp)
    while IFS= read -r line; do
        if [[ $line =~ ^'<!-- rows '([^ ]+)' '(.*)' -->'$ ]]; then
            report=${BASH_REMATCH[1]} pattern=${BASH_REMATCH[2]}
            # A page keeps what it has until its session was measured.
            if [[ ! -f $results/$report/report.md ]]; then
                report=''
                printf '%s\n' "$line" >>"$filled"
                continue
            fi
            {
                printf '%s\n\n' "$line"
                rows "$results/$report/report.md" "$pattern"
                printf '\n'
            } >>"$filled"
        elif [[ $line == '<!-- end -->' ]]; then
            report=''
        fi
        if [[ -z $report ]]; then printf '%s\n' "$line" >>"$filled"; fi
    done <"$page"
    cat "$filled" >"$page"
    rm "$filled"
}

# rows REPORT PATTERN: the table rows that an extended regular expression fits, each table's under its head.
rows() {
    awk -v pattern="$2" '
        !/^\|/ { head = ""; rule = ""; next }
        head == "" { head = $0; next }
        rule == "" { rule = $0; shown = 0; next }
        $0 ~ pattern { if (!shown) { print head; print rule; shown = 1 } print }' "$1"
}

main() {
    local part
    (($#)) || set -- smoke full saturation compare producers reconnect scaling pages
    for part; do
        case $part in
            smoke | full | saturation) measure "$part" "$part" '' '' --scenario all ;;
            compare) measure compare compare '' default --scenario all ;;
            # Ten rounds are the fewest that can decide nine comparisons.
            producers) measure producers compare "$producers" default --rate 300 --trials 10 --reference producer-rest --primary cpu ;;
            reconnect) measure reconnect compare producer-rest,producer-grpc,producer-grpc-reconnect default --rate 200 ;;
            scaling) report scaling "$(<"$results/full/session")" "$(<"$results/saturation/session")" ;;
            pages) fill "$results/hypotheses.md" && fill "$results/rest-and-grpc-26-times.md" ;;
            *)
                sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
                exit 64
                ;;
        esac
    done
}

main "$@"
