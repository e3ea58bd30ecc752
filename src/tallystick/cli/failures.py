"""The one place where an error becomes a message on standard error and an exit status.

======  ==========================================================================
status  means
======  ==========================================================================
0       done
1       it failed: the message says why, or some jobs of an import were rejected, or a
        statement that was verified does not hold
2       the command was written wrongly (an unknown option, a missing argument)
3       a statement could not be verified: nothing is known of whether it holds
130     stopped by Ctrl-C
======  ==========================================================================
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from tallystick.cli.output import visible
from tallystick.errors import FieldError, RequestError, TallystickError

FAILED = 1
UNVERIFIED = 3


class Commands(TyperGroup):
    """The group of all commands: what they raise on purpose is told in a sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (TallystickError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of a pipe left; Typer ends quietly
            tell_error(error)
        raise typer.Exit(FAILED)


def tell_error(error: TallystickError | OSError) -> None:
    """Tells of an error on standard error."""
    lines = message(error) if isinstance(error, TallystickError) else [f"error: {_about(error)}"]
    for line in lines:
        typer.echo(visible(line), err=True)


def message(error: TallystickError) -> list[str]:
    """The lines that tell of an error: its sentence, then each place that it complains of."""
    errors: Sequence[FieldError] = getattr(error, "errors", ())
    places = [each.sentence for each in errors]
    detail = error.detail
    if len(places) > 1 and detail == "; ".join(places):
        detail = f"{len(places)} mistakes"
    else:
        places = [place for place in places if place not in detail]
    if isinstance(error, RequestError):
        detail = str(error).replace(error.detail, detail, 1)
    return [f"error: {detail}", *(f"  {place}" for place in places)]


def _about(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason
