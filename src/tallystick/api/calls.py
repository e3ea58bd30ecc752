"""What a call of the API is, declared once: its paths, who may make it, what it takes and what it answers.

The access door (`access`), the check of query parameters (`parameters`) and the OpenAPI document (`openapi`) all
read this declaration, so none of them can differ from the routes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.model.tokens import Scope

JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"
OPTION: Final = "call"
"""The key under which a route holds its declaration."""

READERS: Final = frozenset({Scope.USAGE, Scope.MANAGE, Scope.ADMIN})
MANAGERS: Final = frozenset({Scope.MANAGE, Scope.ADMIN})
WORKERS: Final = frozenset({Scope.INGEST})
ADMINS: Final = frozenset({Scope.ADMIN})
CURRENCY: Final = "Tallystick-Currency"
IN_CURRENCY: Final = {CURRENCY: "The ISO 4217 code of every amount in the answer."}

PUBLIC: Final = "public"
METRICS: Final = "metrics"
"""Public or for admins, as the setting `metrics` says."""

Schema = dict[str, Any]
Handler = Callable[..., Awaitable[Response[bytes]]]


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter. `schema` is a JSON schema; an integer's `minimum` and `maximum` are enforced from it."""

    name: str
    description: str
    schema: Schema
    example: Any


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One format of a request body or an answer."""

    schema: Schema
    example: Any = None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A request body: what is taken, by media type, the first one also where the request names none."""

    description: str
    media: Mapping[str, Media]
    required: bool = True


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a call that went well. `headers` names those worth telling about, with their meaning."""

    status: int
    description: str
    media: Mapping[str, Media] = {}
    headers: Mapping[str, str] = {}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call: `paths` maps each path to its operation id; `problems` are the statuses it may answer besides.

    `allowed` names the scopes that may make it; `PUBLIC` needs no token, `METRICS` where its setting says so. What is
    not declared is refused.
    """

    method: HttpMethod
    paths: Mapping[str, str]
    tag: str
    summary: str
    description: str
    allowed: frozenset[Scope] | Literal["public", "metrics"]
    answer: Answer
    parameters: tuple[Parameter, ...] = ()
    path_parameters: Mapping[str, str] = {}
    body: Body | None = None
    problems: tuple[int, ...] = ()

    @property
    def is_read(self) -> bool:
        """Whether it answers with an ETag and to If-None-Match."""
        return "ETag" in self.answer.headers


def route(call: Call) -> Callable[[Handler], HTTPRouteHandler]:
    """Makes a handler the route of a declared call."""

    def declare(handler: Handler) -> HTTPRouteHandler:
        # Handlers answer with a complete response; the status given here is never used.
        return HTTPRouteHandler(list(call.paths), http_method=call.method, status_code=200, opt={OPTION: call})(handler)

    return declare


def ref(name: str) -> Schema:
    """A reference to a schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_media(name: str, example: Any) -> dict[str, Media]:
    """JSON in the shape of the component `name`."""
    return {JSON: Media(schema=ref(name), example=example)}


def read_answer(description: str, name: str, example: Any, *, currency: bool = False) -> Answer:
    """The answer of a read: JSON with an ETag, and the currency where it tells of costs."""
    headers = {"ETag": "Names this state of the answer; send it back as If-None-Match."}
    if currency:
        headers |= IN_CURRENCY
    return Answer(status=200, description=description, media=json_media(name, example), headers=headers)
