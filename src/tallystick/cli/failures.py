"""The one place where an error becomes a message on standard error and an exit status.

======  ==========================================================================
status  means
======  ==========================================================================
0       done
1       it failed: the message says why, or some jobs of an import were rejected
2       the command was written wrongly (an unknown option, a missing argument)
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


class Commands(TyperGroup):
    """The group of all commands: what they raise on purpose is told in a sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TallystickError as error:
            _tell(message(error))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # the reader of a pipe left; Typer ends quietly
            _tell([f"error: {_about(error)}"])
        raise typer.Exit(FAILED)


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


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(visible(line), err=True)
