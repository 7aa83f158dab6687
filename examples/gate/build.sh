#!/usr/bin/env bash
# Builds the service of one checkout. A compiled language compiles here; this one only copies.
# Usage: build.sh SOURCE DESTINATION
set -euo pipefail

if (($# != 2)); then
    sed -n 's/^# \(Usage: \)/\1/p' "$0" >&2
    exit 64
fi
mkdir -p "$2"
cp "$1/service/service.py" "$2/service.py"
