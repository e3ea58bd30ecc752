"""``tallystick serve``: the HTTP server."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

import msgspec
import typer

from tallystick.cli.doors import open_ledger, server_parts
from tallystick.cli.options import DEFAULT_DATABASE, Database, Port, examples
from tallystick.model.tokens import Scope
from tallystick.settings import Settings, settings_from

EXAMPLES: Final = examples(
    "tallystick serve",
    "tallystick serve --database sqlite:////var/lib/tallystick/usage.db --port 80",
    "TALLYSTICK_REGISTER=false tallystick serve",
)

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on; 0.0.0.0 for all.")]

URLS: Final = (
    ("dashboard", "/dashboard"),
    ("usage reports", "/usage"),
    ("job reports", "/jobs"),
    ("API reference", "/docs"),
    ("OpenAPI", "/openapi.json"),
    ("health", "/healthz"),
    ("readiness", "/readyz"),
    ("metrics", "/metrics"),
)
"""What a person may want to open, and where it is; every other call stands in the API reference."""


def _with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with an option for each setting, from the one table that describes them, as its last arguments."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = msgspec.structs.fields(Settings)
    options = [_option(field.name, hints[field.name], field.default) for field in defaults]
    signature = inspect.signature(command, eval_str=True)
    explicit = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=[*explicit, *options])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in (*explicit, *options)}
    return command


def _option(name: str, hint: Any, default: object) -> inspect.Parameter:
    kind, meta = get_args(hint) if get_origin(hint) is Annotated else (hint, msgspec.Meta())
    flag = name.replace("_", "-")
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    option = typer.Option(
        f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}",
        metavar=None if kind is bool else "N" if kind is int else "NAME",
        help=f"{meta.description}  [env var: TALLYSTICK_{name.upper()}; default: {shown}]",
        show_default=False,
    )
    annotation: Any = Annotated[kind | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


@_with_settings
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    database: Database = DEFAULT_DATABASE,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, max=256, help="Server processes; PostgreSQL only.")
    ] = 1,
    **given: object,
) -> None:
    """Start the server.

    The database is made or brought up to date first. Every setting is an option here and a variable of the
    environment, which the other commands read too. Ctrl-C stops the server.
    """
    with server_parts():
        from tallystick import serve as server
    typed = {f"TALLYSTICK_{name.upper()}": str(value).lower() for name, value in given.items() if value is not None}
    settings = settings_from({**os.environ, **typed})
    server.check_workers(database, workers)
    with open_ledger(database, make=True) as ledger:
        has_admin = any(token.scope is Scope.ADMIN for token in ledger.tokens.list() if token.revoked_at is None)

    def say(url: str) -> None:
        _say(url, database, has_admin=has_admin)

    if workers == 1:
        server.run(database, settings, host, port, on_ready=say)
    else:
        server.run_workers(database, settings, host, port, workers, on_ready=say)


def _say(url: str, database: str, *, has_admin: bool) -> None:
    typer.echo(f"Tallystick serves {without_password(database)}")
    print_urls(url)
    if not has_admin:
        shown = "" if database == DEFAULT_DATABASE else f" --database '{without_password(database)}'"
        typer.echo("\nNobody can enter yet. Make a token for the administrator with:")
        typer.echo(f"  tallystick token create --scope admin{shown}")
    typer.echo("\nCtrl-C stops the server.")


def without_password(database: str) -> str:
    """The address of a database as it may be shown."""
    hidden = re.sub(r"(://[^/@:]*):[^@]*@", r"\1:…@", database)
    return re.sub(r"(\bpassword=)[^&]*", r"\1…", hidden)


def print_urls(url: str) -> None:
    """Every URL that a server at `url` offers to people, a line each."""
    for what, path in URLS:
        typer.echo(f"  {what + ':':15}{url}{path}")
