"""How a command gets at its data: through the database, or through a server.

A token is never taken as an argument, which every user of the machine could read in the list of processes:
it comes from ``TALLYSTICK_TOKEN``, from a file or from standard input.
"""

from __future__ import annotations

import getpass
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from tallystick.cli.options import DEFAULT_DATABASE
from tallystick.cli.output import note
from tallystick.errors import MissingExtra, TallystickError

if TYPE_CHECKING:
    from tallystick.client import Client
    from tallystick.ledger import Ledger


class Server(NamedTuple):
    """A server to ask, and the token to show it."""

    url: str
    token: str


class Store(NamedTuple):
    """A database to open."""

    database: str


@contextmanager
def server_parts() -> Iterator[None]:
    """A block that imports the server's parts: where they are not installed, the error says how to get them."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing == "tallystick":
            raise
        raise MissingExtra(f"this command opens a database or starts a server with {missing}", "server") from None


@contextmanager
def open_ledger(database: str, *, make: bool = False) -> Iterator[Ledger]:
    """The ledger over a database, with the settings of the environment; closed at the end.

    Only a command that may begin a deployment makes a database where there is none: at a mistyped address the others
    would find an empty one, and leave it behind.
    """
    with server_parts():
        from tallystick.ledger import Actor, Ledger, acting
        from tallystick.settings import settings_from
    path = database.removeprefix("sqlite:///")
    is_new = path not in {database, "", ":memory:"} and not Path(path).exists()
    settings = settings_from(os.environ)
    with Ledger(database, create=make, settings=settings) as ledger, acting(Actor(*operator())):
        if is_new:
            # Said, since it may be a mistyped name.
            note(f"made a new database: {path}")
        yield ledger


def operator() -> tuple[str, str]:
    """The user and the machine of this command, for the audit log."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"command line: {user}", platform.node()


@contextmanager
def open_client(server: Server) -> Iterator[Client]:
    """The SDK's client of a server; closed at the end."""
    from tallystick.client import Client

    with Client(base_url=server.url, token=server.token) as client:
        yield client


def choose(url: str | None, token_file: str | None, database: str | None) -> Server | Store:
    """Where the data is: what was typed decides, then ``TALLYSTICK_URL``, then the database."""
    if url and database:
        raise typer.BadParameter("--url and --database exclude each other")
    if database:
        return Store(database)
    url = url or os.environ.get("TALLYSTICK_URL")
    if url:
        return Server(url, read_token(token_file))
    if token_file:
        raise typer.BadParameter("--token-file needs a server: give --url or set TALLYSTICK_URL")
    return Store(os.environ.get("TALLYSTICK_DATABASE") or DEFAULT_DATABASE)


def named_account(account: str | None) -> str:
    """The account that a command which opens the database is about: there, no token knows it."""
    if account is None:
        raise typer.BadParameter("--account is needed where the database is opened and no server is asked")
    return account


def read_token(token_file: str | None) -> str:
    """The access token, from a file, standard input (``-``) or the environment."""
    if token_file == "-":
        token = sys.stdin.readline()
    elif token_file:
        token = Path(token_file).read_text(encoding="utf-8", errors="replace")
    else:
        token = os.environ.get("TALLYSTICK_TOKEN", "")
    if not token.strip():
        where = {None: "set TALLYSTICK_TOKEN or give --token-file", "-": "standard input is empty"}
        raise TallystickError(
            f"no access token: {where.get(token_file, f'{token_file} is empty')}", code="missing_token"
        )
    return token.strip()
