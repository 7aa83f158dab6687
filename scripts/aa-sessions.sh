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

# Exit status of the gate between two targets of the newest session: 1 where the candidate is certainly worse.
gate() {
  local status=0
  "$weir" gate --baseline "$1" --candidate "$2" --max-regression 0.01% >/dev/null || status=$?
  echo "$status"
}

session() {
  "$weir" run compare "$@" --rate "$rate" --driver benchmark --runtime native >&2
}

aa() {
  local named=0 number
  for ((number = 1; number <= $1; number++)); do
    session null-rest default --aa --primary cpu
    local said="nothing"
    if [[ $(gate null-rest null-rest-aa) == 1 || $(gate null-rest-aa null-rest) == 1 ]]; then
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
    local said="not found"
    if [[ $(gate null-rest null-rest-burn) == 1 ]]; then
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
