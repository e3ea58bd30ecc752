"""Where the server is, the token to show it and how long to wait: checked once, when a client is made."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tallystick.client.call import JSON, Call
from tallystick.errors import InvalidInput
from tallystick.model.tokens import PREFIX, STRUCK_OUT, is_token, strike_tokens
from tallystick.version import __version__

URL_VARIABLE: Final = "TALLYSTICK_URL"
TOKEN_VARIABLE: Final = "TALLYSTICK_TOKEN"
TIMEOUT_SECONDS: Final = 30.0
USER_AGENT: Final = f"tallystick-python/{__version__}"

_VISIBLE: Final = re.compile(r"[!-~]+", re.ASCII)
_LONGEST_PORT: Final = 65535
_SHORTEST_SECRET: Final = 8
"""A shorter text is no secret, and striking it out would tear holes into ordinary words."""


@dataclass(frozen=True)
class Connection:
    """A checked address, token and timeout. The token stays out of its text and out of every error."""

    base_url: str
    token: str = field(repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}", "User-Agent": USER_AGENT, "Accept": JSON}

    def url_of(self, call: Call[Any]) -> str:
        """The address of a call."""
        return self.base_url + call.target

    def without_token(self, text: str) -> str:
        """`text`, which others wrote, with the token and everything of a token's form struck out."""
        if len(self.token) >= _SHORTEST_SECRET:
            text = text.replace(self.token, STRUCK_OUT)
        return strike_tokens(text)


def connection_from(
    base_url: str | None, token: str | None, timeout_seconds: float, environment: Mapping[str, str]
) -> Connection:
    """The connection that a client's arguments name, or the environment where they are left out.

    Raises `InvalidInput`, naming the argument, for what is missing or malformed.
    """
    return Connection(
        _base_url(_given("base_url", base_url, URL_VARIABLE, environment)),
        _token(_given("token", token, TOKEN_VARIABLE, environment)),
        _timeout_seconds(timeout_seconds),
    )


def _given(parameter: str, value: str | None, variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable) if value is None else value
    if not value:
        raise InvalidInput.parameter(parameter, f"is missing: pass {parameter}=... or set {variable}")
    if not isinstance(value, str):
        raise InvalidInput.parameter(parameter, f"must be text, not {type(value).__name__}")
    return value


def _base_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InvalidInput.parameter("base_url", f"is not a URL: {error}") from None
    if url.userinfo:
        raise InvalidInput.parameter("base_url", "must hold no user name or password; the token is enough")
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidInput.parameter("base_url", f"must begin with http:// or https:// and a host, and is {text!r}")
    if url.port is not None and not 0 < url.port <= _LONGEST_PORT:
        raise InvalidInput.parameter("base_url", f"names the port {url.port}, which does not exist")
    if url.query or url.fragment:
        raise InvalidInput.parameter("base_url", "must have no query and no fragment")
    return str(url).rstrip("/")


def _token(text: str) -> str:
    # Whatever is wrong with a token, the message must not repeat it.
    if not _VISIBLE.fullmatch(text):
        raise InvalidInput.parameter("token", "holds a space, a line break or a character that no token has")
    if text.startswith(PREFIX) and not is_token(text):
        raise InvalidInput.parameter("token", "is damaged: its checksum does not hold; was it copied whole?")
    return text


def _timeout_seconds(seconds: float) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise InvalidInput.parameter("timeout_seconds", "must be a number of seconds above 0")
    return seconds
