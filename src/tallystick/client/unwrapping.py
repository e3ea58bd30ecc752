"""Webhooks that were received: checked, and read."""

from __future__ import annotations

from collections.abc import Collection, ItemsView
from typing import Protocol

import msgspec

from tallystick.errors import TallystickError, WebhookRejected
from tallystick.model.events import WebhookEvent, event_from
from tallystick.model.wire import decode

ID_HEADER = "webhook-id"


class Headers(Protocol):
    """A request's headers, as any web framework gives them."""

    def items(self) -> ItemsView[str, str]: ...


def unwrap(body: bytes | str, headers: Headers, secret: str | Collection[str]) -> WebhookEvent:
    """The event that a received webhook holds, once its signature was found to be made with the secret.

    `body` is the request's, byte for byte; `headers` are the request's, whatever the case of their names. While a
    secret is changed, several may be given. Raises `WebhookRejected` where a header is missing, the signature is not
    ours or older than five minutes, or the body is none of an event: answer 400 then, and do nothing else. Needs the
    package standardwebhooks: ``pip install 'tallystick[webhooks]'``.
    """
    given = {name.lower(): value for name, value in headers.items()}
    text = _text(body)
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not any(_is_signed(text, given, each) for each in secrets):
        raise WebhookRejected("the webhook is not signed with this secret, or not within the last five minutes")
    try:
        return event_from(given[ID_HEADER], decode(text))
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise WebhookRejected(f"the webhook's body is not an event: {error}") from None


def _text(body: bytes | str) -> str:
    try:
        return body if isinstance(body, str) else body.decode()
    except UnicodeDecodeError:
        raise WebhookRejected("the webhook's body is not UTF-8") from None


def _is_signed(text: str, headers: dict[str, str], secret: str) -> bool:
    try:
        from standardwebhooks import Webhook, WebhookVerificationError
        from standardwebhooks.webhooks import EmptyWebhookSecretError
    except ModuleNotFoundError:
        raise TallystickError(
            "checking webhooks needs standardwebhooks: pip install 'tallystick[webhooks]'", code="missing_extra"
        ) from None
    try:
        verifier = Webhook(secret)
    except (ValueError, TypeError, EmptyWebhookSecretError) as error:
        raise WebhookRejected(f"the secret is none of a webhook, which begins with whsec_: {error}") from None
    try:
        verifier.verify(text, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # A signature that is no Base64, or has no comma, fails with an error of its own.
        return False
    return True
