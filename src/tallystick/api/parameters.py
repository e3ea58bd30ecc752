"""Query parameters, strictly: what a call does not declare, says twice or leaves empty is an error, never ignored.

A misspelt ``start_moth`` would otherwise give a report of the wrong months that looks right.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from tallystick.api.calls import OPTION, Parameter
from tallystick.api.request import ApiRequest
from tallystick.errors import InvalidInput
from tallystick.model.tokens import strike_tokens
from tallystick.model.webhooks import DeliveryState

CODE: Final = "invalid_parameter"
MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
_MAX_PARAMETERS: Final = 50
_SHOWN_CHARACTERS: Final = 60

_MONTH_SCHEMA: Final = {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])$"}

START_MONTH: Final = Parameter(
    name="start_month",
    description="First month of the period, YYYY-MM. Alone it runs to the current month.",
    schema=_MONTH_SCHEMA,
    example="2025-01",
)
END_MONTH: Final = Parameter(
    name="end_month",
    description="Last month of the period, YYYY-MM, included. Alone it starts with the account's first month, "
    "at most 120 months before.",
    schema=_MONTH_SCHEMA,
    example="2025-01",
)
START: Final = Parameter(
    name="start",
    description="First day, YYYY-MM-DD.",
    schema={"type": "string", "format": "date"},
    example="2025-01-01",
)
END: Final = Parameter(
    name="end",
    description="Last day, YYYY-MM-DD, included.",
    schema={"type": "string", "format": "date"},
    example="2025-01-31",
)
ACCOUNT: Final = Parameter(
    name="account",
    description="Name of the account to read. An admin token must give it; another may only name its own account.",
    schema={"type": "string", "minLength": 1, "maxLength": 200},
    example="acme",
)
API_KEY: Final = Parameter(
    name="api_key",
    description="Name of an API key of the account; without it the whole account.",
    schema={"type": "string", "minLength": 1, "maxLength": 200},
    example="some api key",
)
CURSOR: Final = Parameter(
    name="cursor",
    description="`next_cursor` of the page before; without it the first page.",
    schema={"type": "string", "minLength": 1},
    example="",
)
LIMIT: Final = Parameter(
    name="limit",
    description="Most entries of the page.",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    example=DEFAULT_LIMIT,
)
VOIDED: Final = Parameter(
    name="voided",
    description="With `true` the voided jobs follow the live ones; in NDJSON alone.",
    schema={"type": "string", "enum": ["true", "false"]},
    example="true",
)
STATE: Final = Parameter(
    name="state",
    description="What has become of the deliveries to be listed.",
    schema={"type": "string", "enum": list(DeliveryState)},
    example="failed",
)
FROM: Final = Parameter(
    name="from",
    description="First month, YYYY-MM. Without it the first one with jobs.",
    schema=_MONTH_SCHEMA,
    example="2025-01",
)
TO: Final = Parameter(
    name="to",
    description="Last month, YYYY-MM, included. Without it the current one.",
    schema=_MONTH_SCHEMA,
    example="2025-12",
)
ONE_ACCOUNT: Final = Parameter(
    name="account",
    description="Name of the only account to look at. Without it all of them.",
    schema={"type": "string", "minLength": 1, "maxLength": 200},
    example="acme",
)
EFFECTIVE_FROM: Final = Parameter(
    name="effective_from",
    description="Month, YYYY-MM, from which this version of the plan holds.",
    schema=_MONTH_SCHEMA,
    example="2025-02",
)


async def take_parameters(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Reads the query into the request's `values`. Raises `InvalidInput` naming the parameter that does not fit."""
    declared: tuple[Parameter, ...] = handler.opt[OPTION].parameters
    values = parse_query(connection.scope["query_string"], frozenset(parameter.name for parameter in declared))
    connection.scope["state"]["values"] = values


def parse_query(query: bytes, known: frozenset[str]) -> dict[str, str]:
    """The parameters of a query string, each at most once, known and not empty. Raises `InvalidInput`."""
    values: dict[str, str] = {}
    for name, value in _pairs(query):
        if name not in known:
            raise InvalidInput.parameter(_shown(name), _not_known(known), code=CODE)
        if name in values:
            raise InvalidInput.parameter(name, "is given more than once", code=CODE)
        if not value:
            raise InvalidInput.parameter(name, "is empty; leave it out instead", code=CODE)
        values[name] = value
    return values


def _pairs(query: bytes) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except UnicodeError:
        raise InvalidInput("The query is not UTF-8, percent-encoded.", code=CODE) from None
    except ValueError:
        raise InvalidInput(f"The query has more than {_MAX_PARAMETERS} parameters.", code=CODE) from None


def _not_known(known: frozenset[str]) -> str:
    return (
        f"is not a parameter of this call; known are: {', '.join(sorted(known))}"
        if known
        else ("is not a parameter of this call, which has none")
    )


def _shown(name: str) -> str:
    # Struck before it is cut: half a token would no longer be told from other text.
    return strike_tokens(name)[:_SHOWN_CHARACTERS] or "(empty name)"


def limit_of(request: ApiRequest, most: int = MAX_LIMIT) -> int:
    """How many entries a page may have. Raises `InvalidInput` for what is not an integer from 1 to `most`."""
    text = request.values.get(LIMIT.name)
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise InvalidInput.parameter(LIMIT.name, f"must be an integer from 1 to {most}", code=CODE)
    return int(text)


def flag_of(request: ApiRequest, parameter: Parameter) -> bool:
    """Whether a parameter that is ``true`` or ``false``, the default, is true. Raises `InvalidInput` for all else."""
    text = request.values.get(parameter.name, "false")
    if text not in ("true", "false"):
        raise InvalidInput.parameter(parameter.name, "must be true or false", code=CODE)
    return text == "true"
