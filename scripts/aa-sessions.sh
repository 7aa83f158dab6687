#!/usr/bin/env bash
# Runs real A/A sessions and sessions with a planted difference of 10 % of CPU, over null targets, and counts what they say.
# Prints a line a session and both counts; leaves the sessions in the metrics database and their reports below
# load-test/results/. Expected of 20: 0 or 1 A/A session that names a difference, at least 18 that find the planted one.
# Environment: WEIR (default target/release/weir), PHASE_SCALE (default 0.1: rounds of 3 s), RATE (default 2000 a second).
set -euo pipefail

usage() {
  echo "Usage: scripts/aa-sessions.sh SESSIONS [aa|planted|both]" >&2
  exit 64
}

# Exit status of the gate between two targets of the newest session: 1 where the candidate is certainly worse. A session without
# a verdict ends the script: it would count as one that names nothing.
gate() {
  local status=0 verdict
  verdict=$(find load-test/results -name verdict.json | sort | tail -1)
  "$weir" gate "$verdict" --baseline "$1" --candidate "$2" --max-regression 0.01% >&2 || status=$?
  if ((status > 2)); then
    echo "scripts/aa-sessions.sh: $verdict has no verdict (status $status)" >&2
    exit 1
  fi
  echo "$status"
}

session() {
  "$weir" run compare "$@" --rate "$rate" --driver benchmark --runtime native >&2
}

aa() {
  local named=0 number
  for ((number = 1; number <= $1; number++)); do
    session null-rest default --aa --primary cpu
    local said="nothing" one other
    one=$(gate null-rest null-rest-aa)
    other=$(gate null-rest-aa null-rest)
    if [[ $one == 1 || $other == 1 ]]; then
      named=$((named + 1))
      said="a difference"
    fi
    echo "A/A $number of $1: $said named"
  done
  echo "A/A: $named of $1 sessions named a difference"
}

planted() {
  local found=0 number
  for ((number = 1; number <= $1; number++)); do
    session null-rest,null-rest-burn default --primary cpu --until-decided
    local said="not found" status
    status=$(gate null-rest null-rest-burn)
    if [[ $status == 1 ]]; then
      found=$((found + 1))
      said="found"
    fi
    echo "planted 10 % $number of $1: $said"
  done
  echo "planted 10 %: found in $found of $1 sessions"
}

main() {
  [[ $# -ge 1 && $# -le 2 && $1 =~ ^[1-9][0-9]*$ ]] || usage
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  weir=${WEIR:-target/release/weir}
  rate=${RATE:-2000}
  export PHASE_SCALE=${PHASE_SCALE:-0.1}
  case ${2:-both} in
    aa) aa "$1" ;;
    planted) planted "$1" ;;
    both)
      aa "$1"
      planted "$1"
      ;;
    *) usage ;;
  esac
}

main "$@"
