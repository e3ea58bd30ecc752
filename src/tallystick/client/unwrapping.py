"""Webhooks that were received: checked, and read."""

from __future__ import annotations

import base64
from collections.abc import Collection, ItemsView
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from tallystick.errors import InvalidInput, MissingExtra, WebhookRejected
from tallystick.model.events import WebhookEvent, event_from
from tallystick.model.webhooks import SECRET_PREFIX
from tallystick.model.wire import decode

if TYPE_CHECKING:
    from standardwebhooks import Webhook

ID_HEADER: Final = "webhook-id"
HEADERS: Final[tuple[str, ...]] = (ID_HEADER, "webhook-timestamp", "webhook-signature")


class Headers(Protocol):
    """A request's headers, as any web framework gives them."""

    def items(self) -> ItemsView[str, str]: ...


def unwrap(body: bytes | bytearray | memoryview | str, headers: Headers, secret: str | Collection[str]) -> WebhookEvent:
    """The event that a received webhook holds, once its signature was found to be made with the secret.

    `body` is the request's, byte for byte; `headers` are the request's, whatever the case of their names. While a
    secret is changed, several may be given. Raises `WebhookRejected` where a header is missing, the signature is not
    ours or older than five minutes, or the body is none of an event: answer 400 then, and do nothing else. What the
    receiver itself did wrong raises `InvalidInput` naming the argument: no secret or one that can be none, a body that
    was parsed already. Needs the package standardwebhooks: ``pip install 'tallystick[webhooks]'``.
    """
    verifiers = _verifiers(secret)
    given = _signing(headers)
    text = _text(body)
    if missing := [name for name in HEADERS if not given.get(name)]:
        raise WebhookRejected(f"the request has no header {missing[0]}")
    if not any(_is_signed(text, given, verifier) for verifier in verifiers):
        raise WebhookRejected("the webhook is not signed with this secret, or not within the last five minutes")
    try:
        return event_from(given[ID_HEADER], decode(text))
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise WebhookRejected(f"the webhook's body is not an event: {error}") from None


def _text(body: bytes | bytearray | memoryview | str) -> str:
    if isinstance(body, str):
        return body
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidInput.parameter(
            "body", f"must be the bytes of the request as they came, not {type(body).__name__}"
        )
    try:
        return bytes(body).decode()
    except UnicodeDecodeError:
        raise WebhookRejected("the webhook's body is not UTF-8") from None


def _signing(headers: Headers) -> dict[str, str]:
    """The headers that sign, by their names in lower case."""
    try:
        given = {name.lower(): value for name, value in headers.items()}
    except (AttributeError, TypeError, ValueError):
        raise InvalidInput.parameter(
            "headers", f"must be a mapping of the request's headers, not {type(headers).__name__}"
        ) from None
    signing = {name: given[name] for name in HEADERS if name in given}
    if not all(isinstance(value, str) for value in signing.values()):
        raise InvalidInput.parameter("headers", "must have texts as their values")
    return signing


def _verifiers(secret: str | Collection[str]) -> list[Webhook]:
    try:
        from standardwebhooks import Webhook
    except ModuleNotFoundError:
        raise MissingExtra("webhooks are checked with standardwebhooks", "webhooks") from None
    # What is none is refused by its own name; bytes would be a collection of numbers.
    secrets = list(secret) if isinstance(secret, Collection) and not isinstance(secret, str | bytes) else [secret]
    if not secrets:
        raise _no_secret("is none; the endpoint's is needed")
    return [Webhook(_key(each)) for each in secrets]


def _key(secret: object) -> bytes:
    """The bytes that sign. Nothing of the secret is ever told."""
    if not isinstance(secret, str):
        raise _no_secret(f"must be a text that begins with {SECRET_PREFIX}, not {type(secret).__name__}")
    digits = secret.strip().removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        raise _no_secret(f"is none of a webhook: it begins with {SECRET_PREFIX} and goes on in Base64") from None
    if not key:
        raise _no_secret("is empty; the endpoint's is needed")
    return key


def _no_secret(detail: str) -> InvalidInput:
    return InvalidInput.parameter("secret", detail)


def _is_signed(text: str, headers: dict[str, str], verifier: Webhook) -> bool:
    from standardwebhooks import WebhookVerificationError

    try:
        verifier.verify(text, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A signature that is no Base64, or has no comma, fails with an error of its own.
        return False
    return True
