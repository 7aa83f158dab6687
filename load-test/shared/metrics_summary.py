"""Says what this script of the earlier system is called today."""

from _moved import main

main()
