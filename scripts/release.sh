#!/usr/bin/env bash
# Builds every binary of the workspace and packs them, with licence and README, into one archive with its checksum.
# Leaves behind: target/release-archives/weir-VERSION-PLATFORM.tar.gz and the same name with .sha256.
# Usage: scripts/release.sh PLATFORM      e.g. x86_64-unknown-linux-gnu: the name of the archive; the build is for this machine
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

main() {
    if (($# != 1)) || [[ $1 != *-*-* ]]; then
        sed -n 's/^# Usage: /Usage: /p' "${BASH_SOURCE[0]}" >&2
        exit 64
    fi
    cd "$root"
    local version name archives host
    host=$(rustc --version --verbose | sed -n 's/^host: //p')
    [[ $host == "$1" ]] || { echo "this machine builds for $host, not for $1" >&2; exit 1; }
    version=$(cargo pkgid --package weir | sed 's/.*[#@]//')
    name=weir-$version-$1
    archives=$root/target/release-archives
    mkdir -p "$archives/$name"
    # Cargo says where each program is, wherever its target directory may be.
    cargo build --profile dist --locked --workspace --bins --message-format json-render-diagnostics \
        | python3 -c 'import json, sys
for line in sys.stdin:
    file = json.loads(line).get("executable")
    if file: print(file)' \
        | while IFS= read -r file; do cp "$file" "$archives/$name/"; done
    cp LICENSE README.md CHANGELOG.md "$archives/$name/"
    tar -C "$archives" -czf "$archives/$name.tar.gz" "$name"
    rm -r "${archives:?}/$name"
    cd "$archives"
    python3 -c 'import hashlib, sys
data = open(sys.argv[1], "rb").read()
print(hashlib.sha256(data).hexdigest(), "", sys.argv[1])' "$name.tar.gz" >"$name.tar.gz.sha256"
    cat "$name.tar.gz.sha256"
}

main "$@"
