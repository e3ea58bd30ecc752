"""The command line, ``tallystick``. It parses arguments and calls what lies below."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command that the process's arguments name, and exits."""
    try:
        from tallystick.cli.app import app

        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a letter gets a "?", not a traceback.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        app(prog_name="tallystick")
    except KeyboardInterrupt:
        sys.exit(130)
