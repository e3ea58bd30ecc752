"""What must work after ``pip install tallystick``, without the server's parts. Run by scripts/check_package.py."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

SERVER_ONLY = {"sqlalchemy", "alembic", "litestar", "uvicorn"}


def main() -> None:
    """Raise `AssertionError` for the first thing that does not hold."""
    import tallystick

    checkout = Path(__file__).resolve().parent.parent.parent
    assert checkout not in Path(tallystick.__file__).parents, f"not the installed package: {tallystick.__file__}"
    assert tallystick.__version__ == version("tallystick")

    with tallystick.Client(base_url="http://127.0.0.1:9", token="none") as client:
        assert client.usage

    from tallystick import verify

    assert callable(verify.statement)
    import tallystick.cli

    assert not SERVER_ONLY & sys.modules.keys(), f"the base loads {SERVER_ONLY & sys.modules.keys()}"
    check_ledger_says_what_is_missing()
    check_commands()


def check_ledger_says_what_is_missing() -> None:
    """`Ledger` cannot work here; its error must say what to install."""
    said = ""
    try:
        from tallystick import Ledger  # noqa: F401  - the import is the test
    except ImportError as error:
        said = str(error)
    assert "tallystick[server]" in said, f"importing Ledger should name the missing extra and says {said!r}"


def check_commands() -> None:
    """The command line answers, and names the extra where a command needs it."""
    tally = str(Path(sys.executable).parent / "tallystick")
    shown = subprocess.run([tally, "--version"], capture_output=True, text=True, check=True).stdout
    assert version("tallystick") in shown, shown
    subprocess.run([tally, "--help"], capture_output=True, check=True)
    refused = subprocess.run([tally, "account", "list"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0, "a command that opens the store works without the server's parts"
    assert "tallystick[server]" in refused.stdout + refused.stderr, refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr, refused.stderr


if __name__ == "__main__":
    main()
