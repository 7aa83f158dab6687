#!/usr/bin/env bash
# Builds the service of one checkout. A compiled language compiles here; this one only copies.
# Usage: build.sh SOURCE DESTINATION
set -euo pipefail

mkdir -p "$2"
cp "$1/service/service.py" "$2/service.py"
