#!/usr/bin/env bash
# Runs real sessions over null targets, and counts what they say:
#   aa        one target under two names: nothing may be named (0 or 1 of 20 expected)
#   planted   10 % of CPU more in one of two equal targets, with --until-decided: to be found (at least 18 of 20)
#   planned   eight rounds, and as much more CPU as `weir plan` says that they find in 80 % of sessions (13 to 19 of 20). Needs
#             earlier sessions, whose spread says how much that is
# Prints a line a session and the count of each kind; leaves the sessions in the metrics database and their reports below
# load-test/results/.
# Environment: WEIR (default target/release/weir), PHASE_SCALE (default 0.1: rounds of 3 s), RATE (default 2000 a second).
set -euo pipefail

usage() {
  echo "Usage: scripts/aa-sessions.sh SESSIONS [aa|planted|both|planned]" >&2
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

# burn SESSIONS NAME OPTION...: sessions in which one of two targets burns BURN_PERCENT of its requests' CPU on top.
burn() {
  local found=0 number sessions=$1 name=$2
  shift 2
  for ((number = 1; number <= sessions; number++)); do
    session null-rest,null-rest-burn default --primary cpu "$@"
    local said="not found" status
    status=$(gate null-rest null-rest-burn)
    if [[ $status == 1 ]]; then
      found=$((found + 1))
      said="found"
    fi
    echo "$name $number of $sessions: $said"
  done
  echo "$name: found in $found of $sessions sessions"
}

planted() {
  BURN_PERCENT=10 burn "$1" "planted 10 %" --until-decided
}

# The difference in percent that eight rounds find in 80 % of sessions, at the spread of the sessions so far.
promised() {
  "$weir" plan compare null-rest,null-rest-burn default --primary cpu --driver benchmark --rate "$rate" --json |
    python3 -c 'import json, sys
found = [one["detectable"] for one in json.load(sys.stdin)["finds"] if one["figure"] == "service CPU"]
if not found or found[0] is None:
    sys.exit("scripts/aa-sessions.sh: no earlier session says how rounds spread: run the kind aa first")
print(f"{100 * found[0]:.2f}")'
}

planned() {
  local size
  size=$(promised)
  BURN_PERCENT=$size burn "$1" "planned $size %"
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
    planned) planned "$1" ;;
    both)
      aa "$1"
      planted "$1"
      ;;
    *) usage ;;
  esac
}

main "$@"
