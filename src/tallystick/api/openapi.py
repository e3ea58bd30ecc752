"""The OpenAPI 3.1 document, made of the calls that the application's routes declare."""

from __future__ import annotations

import http
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from tallystick.api import examples
from tallystick.api.calls import METRICS, PROBLEM_JSON, PUBLIC, Answer, Call, Media, ref
from tallystick.api.edge import REQUEST_ID
from tallystick.api.schemas import components
from tallystick.model.wire import encode
from tallystick.settings import Settings
from tallystick.version import __version__

_DESCRIPTION: Final = """\
Exact, explainable usage reports and costs for token-priced APIs.

A token goes into `Authorization: Bearer TOKEN` or `X-Api-Key: TOKEN`. Errors are problem documents (RFC 9457) with a
stable `code`. Every answer has an `X-Request-Id`. Reads carry an ETag and answer If-None-Match with 304; every GET
also answers to HEAD. Query parameters that a call does not know are refused.
"""

_TAGS: Final = {
    "usage": "What was used and what it costs.",
    "budgets": "What an account or a key means to spend in a month.",
    "jobs": "Finished units of work.",
    "statements": "The frozen, signed reports of closed months.",
    "accounts": "Customers and their API keys.",
    "tokens": "Access to this API.",
    "plans": "What a job costs.",
    "quarantine": "Jobs that were refused.",
    "notices": "What accounts and the provider should hear of.",
    "webhooks": "Where notices are sent.",
    "operation": "The server itself.",
}

_PROBLEMS: Final = {
    400: "Something in the request breaks a rule; `errors` names each place.",
    401: "No token, or one that does not hold.",
    403: "The token holds, but not for this.",
    404: "What was named does not exist.",
    409: "The request contradicts what is stored.",
    413: "The body has more bytes or items than are taken at once.",
    415: "The body's format, charset or encoding is not taken.",
    500: "An error of the server.",
    501: "The server lacks a part; `detail` names the extra that brings it.",
    503: "The database cannot be used at the moment.",
}

_ID_HEADER: Final = {REQUEST_ID: {"$ref": "#/components/headers/RequestId"}}


def written_document(calls: Iterable[Call], settings: Settings) -> Callable[[str], bytes]:
    """The document as JSON, for whoever says where the application is mounted (empty for nowhere)."""
    document = openapi_document(calls, settings)

    @lru_cache(maxsize=8)
    def written(mount: str) -> bytes:
        return encode({**document, "servers": [{"url": mount or "/"}]})

    return written


def openapi_document(calls: Iterable[Call], settings: Settings) -> dict[str, Any]:
    """The document, as plain data."""
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        for path, operation_id in call.paths.items():
            paths.setdefault(path.replace(":str}", "}"), {})[call.method.lower()] = _operation(call, operation_id)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tallystick",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components(settings),
            "responses": {_problem_name(status): _problem(status) for status in _PROBLEMS},
            "headers": {"RequestId": _header("The request's name in the server's log.", "5f1c09a2b7d3e48f60a1c2d3")},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A Tallystick token."},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same token."},
            },
        },
    }


def _operation(call: Call, operation_id: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [call.tag],
        "summary": call.summary,
        "description": call.description + _scopes(call),
        "security": _security(call),
        "parameters": _parameters(call),
        "responses": _responses(call),
    }
    if call.body:
        operation["requestBody"] = {
            "description": call.body.description,
            "required": call.body.required,
            "content": _content(call.body.media),
        }
    return operation


def _security(call: Call) -> list[dict[str, list[str]]]:
    if call.allowed == PUBLIC:
        return []
    tokens: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
    # An empty requirement says that no token may be enough.
    return [{}, *tokens] if call.allowed == METRICS else tokens


def _scopes(call: Call) -> str:
    return "" if isinstance(call.allowed, str) else f"\n\nScopes: {', '.join(sorted(call.allowed))}."


def _parameters(call: Call) -> list[dict[str, Any]]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "minLength": 1},
        }
        for name, text in call.path_parameters.items()
    ]
    in_query = [
        {"name": p.name, "in": "query", "required": False, "description": p.description, "schema": p.schema}
        | ({"example": p.example} if p.example != "" else {})
        for p in call.parameters
    ]
    return in_path + in_query


def _responses(call: Call) -> dict[str, Any]:
    responses: dict[str, Any] = {str(call.answer.status): _success(call.answer)}
    if call.is_read:
        responses["304"] = {"description": "The client has this state already.", "headers": _ID_HEADER}
    # Any query parameter that a call does not know is refused, so every call may answer 400.
    statuses = {400, 500, 503, *call.problems} | (set() if call.allowed == PUBLIC else {401, 403})
    for status in sorted(statuses):
        responses[str(status)] = {"$ref": f"#/components/responses/{_problem_name(status)}"}
    return responses


def _success(answer: Answer) -> dict[str, Any]:
    headers = {name: _header(text) for name, text in answer.headers.items()}
    response: dict[str, Any] = {"description": answer.description, "headers": headers | _ID_HEADER}
    if answer.media:
        response["content"] = _content(answer.media)
    return response


def _content(media: Any) -> dict[str, Any]:
    return {name: _media(one) for name, one in media.items()}


def _media(media: Media) -> dict[str, Any]:
    return {"schema": media.schema} | ({"example": media.example} if media.example is not None else {})


def _header(description: str, example: str = "") -> dict[str, Any]:
    header: dict[str, Any] = {"description": description, "schema": {"type": "string"}}
    return header | ({"example": example} if example else {})


def _problem_name(status: int) -> str:
    return http.HTTPStatus(status).name.title().replace("_", "")


def _problem(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = dict(_ID_HEADER)
    if status == 401:
        headers["WWW-Authenticate"] = _header("The scheme that is wanted.", "Bearer")
    if status == 503:
        headers["Retry-After"] = _header("Seconds after which to try again.", "1")
    media: dict[str, Any] = {"schema": ref("Problem")}
    if status == examples.PROBLEM["status"]:
        media["example"] = examples.PROBLEM
    return {"description": _PROBLEMS[status], "headers": headers, "content": {PROBLEM_JSON: media}}
