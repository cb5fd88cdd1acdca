"""The command `promptops`, which comes with the package."""

from __future__ import annotations


def main() -> None:
    """Runs the command line, and ends the process with its exit code."""
    import signal
    import sys

    from ._promptops import run_command

    # Ctrl-C ends the command, and raises nothing in code that is not running.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run_command(sys.argv))
