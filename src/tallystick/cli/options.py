"""The options that several commands take, described once."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_DATABASE = "sqlite:///tallystick.db"

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="TALLYSTICK_DATABASE",
        metavar="URL",
        help="The database to open.",
        show_envvar=True,
    ),
]

Port = Annotated[
    int, typer.Option("--port", metavar="PORT", min=0, max=65535, help="The port to listen on; 0 takes a free one.")
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]

# The next five are of commands that talk to a server where one is named and open the database otherwise. Their
# environment variables are read in `doors`, which must tell what was typed from what merely lay in the environment.
Url = Annotated[
    str | None,
    typer.Option(
        "--url", metavar="URL", help="The server to ask, instead of opening a database.  [env var: TALLYSTICK_URL]"
    ),
]
TokenFile = Annotated[
    str | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="A file that holds the access token, - for standard input.  [env var: TALLYSTICK_TOKEN, the token itself]",
    ),
]
Account = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="The account. A usage token knows its own.")
]
OtherDatabase = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help=f"The database to open.  [env var: TALLYSTICK_DATABASE; default: {DEFAULT_DATABASE}]",
    ),
]


def examples(*lines: str) -> str:
    """The end of a command's help: its examples, each on a line of its own."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
