"""Says what a script of the earlier system is called today. The lab itself is `weir`; docs/guides/seeds.md has the table."""

import shlex
import sys

# By script: the command of today, and by flag of the script the flag of today (None: the value stands alone).
COMMANDS = {
    "metrics_list_runs.py": ("weir runs list", {"--api": "--target", "--mode": "--mode", "--payload": "--payload", "--limit": "--limit"}),
    "metrics_export.py": ("weir runs export", {"--format": "--format"}),
    "metrics_cleanup.py": ("weir runs cleanup", {"--days": "--days", "--keep": "--keep", "--execute": "--execute"}),
    "metrics_summary.py": ("weir runs summary", {"--comparison": "--comparison"}),
}


def today(script, arguments):
    """The command line of today."""
    command, flags = COMMANDS[script]
    words = [flags.get(word, word) for word in arguments]
    return " ".join([command, *map(shlex.quote, words)])


def main():
    script = sys.argv[0].replace("\\", "/").rsplit("/", 1)[-1]
    print(f"{script} is now: {today(script, sys.argv[1:])}", file=sys.stderr)
    sys.exit(64)
