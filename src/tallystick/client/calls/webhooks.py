"""Webhook endpoints, and the log of what was sent to them.

A token of scope ``manage`` sees its own account's endpoints. An admin token sees everybody's; where `account` is taken,
it names the account, and without it the endpoint is the provider's.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from tallystick.client.call import (
    Answer,
    Call,
    body_of,
    json_body,
    many,
    moment,
    named,
    nothing,
    one,
    path_of,
    query_of,
)
from tallystick.model.notices import Event
from tallystick.model.webhooks import (
    Delivery,
    DeliveryLog,
    DeliveryPage,
    DeliveryState,
    Endpoint,
    NewEndpoint,
    Replayed,
)
from tallystick.model.wire import decode


def create_webhook(
    url: str,
    *,
    events: Collection[Event | str] | None = None,
    description: str | None = None,
    account: str | None = None,
) -> Call[NewEndpoint]:
    """Makes an endpoint. The result's `secret` checks what arrives there: it is shown this once.

    `events` are those that it hears of, all of them where none is named; ``account.created`` and ``quarantine.added``
    are the provider's alone. Raises `BadRequest` for a URL or event that it cannot have, `ResourceConflict` (code
    ``too_many_webhooks``) and `RequestError`. It is retried only where the first request surely was not carried out.
    """
    body = body_of(url=url, events=None if events is None else list(events), description=description)
    return Call("POST", "/webhooks", _new_endpoint, query_of(account=account), body=body, repeatable=False)


def list_webhooks(*, account: str | None = None) -> Call[tuple[Endpoint, ...]]:
    """Endpoints, the oldest first, without their secrets. Raises `RequestError`."""
    return Call("GET", "/webhooks", many("webhooks", Endpoint), query_of(account=account))


def get_webhook(webhook: str) -> Call[Endpoint]:
    """The endpoint of that id: whether it is on, and since when it fails. Raises `RequestError`."""
    return Call("GET", _path(webhook), one(Endpoint))


def change_webhook(
    webhook: str,
    *,
    url: str | None = None,
    events: Collection[Event | str] | None = None,
    description: str | None = None,
    on: bool | None = None,
) -> Call[Endpoint]:
    """Changes what is given of an endpoint; without any `events` it hears of all, `on` switches it on or off.

    Switched off, it is sent nothing and what waits is dropped; `replay_missed` sends that later. Raises `RequestError`.
    """
    given: dict[str, Any] = {"url": url, "events": events, "description": description, "on": on}
    body = {name: value for name, value in given.items() if value is not None}
    if events is not None:
        body["events"] = list(events)
    return Call("PATCH", _path(webhook), one(Endpoint), body=json_body(body))


def remove_webhook(webhook: str) -> Call[None]:
    """Removes an endpoint with its log. Raises `RequestError`."""
    return Call("DELETE", _path(webhook), nothing)


def rotate_webhook(webhook: str, *, overlap_seconds: int | None = None) -> Call[NewEndpoint]:
    """Gives an endpoint a new secret; the old one signs too for `overlap_seconds`, a day where it is left out.

    Raises `RequestError`. It is retried only where the first request surely was not carried out.
    """
    body = body_of(overlap_seconds=overlap_seconds)
    return Call("POST", _path(webhook, "rotate"), _new_endpoint, body=body, repeatable=False)


def send_test(webhook: str) -> Call[Delivery]:
    """Sends an endpoint an event of type ``webhook.test``; `delivery` tells what came of it. Raises `RequestError`."""
    return Call("POST", _path(webhook, "test"), one(Delivery), repeatable=False)


def list_deliveries(
    webhook: str,
    *,
    state: DeliveryState | str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
) -> Call[DeliveryPage]:
    """What was sent to an endpoint, the newest first; `state` is waiting, delivered, failed or dropped.

    A page's `next_cursor`, given as `cursor`, yields the older ones. Raises `RequestError`.
    """
    query = query_of(state=state, cursor=cursor, limit=limit)
    return Call("GET", _path(webhook, "deliveries"), one(DeliveryPage), query)


def get_delivery(webhook: str, notice: str) -> Call[DeliveryLog]:
    """A notice's delivery to an endpoint: what was sent, and each attempt with its answer. Raises `RequestError`."""
    return Call("GET", _path(webhook, "deliveries", named("notice", notice)), one(DeliveryLog))


def replay_delivery(webhook: str, notice: str) -> Call[Delivery]:
    """Sends a notice to an endpoint again, under the same id. Raises `RequestError`."""
    return Call("POST", _path(webhook, "deliveries", named("notice", notice), "replay"), one(Delivery))


def replay_missed(webhook: str, *, since: str | datetime) -> Call[Replayed]:
    """Sends an endpoint what was said since an instant and has not reached it; at most 10,000 notices.

    `since` is an aware `datetime` or an RFC 3339 text with an offset. Raises `InvalidInput` for a naive `datetime`
    before any request, and `RequestError`.
    """
    return Call("POST", _path(webhook, "replay"), one(Replayed), body=body_of(since=moment("since", since)))


def _path(webhook: str, *more: str) -> str:
    return path_of("webhooks", named("webhook", webhook), *more)


def _new_endpoint(answer: Answer) -> NewEndpoint:
    wire = decode(answer.body)
    return NewEndpoint(secret=msgspec.convert(wire["secret"], str), endpoint=msgspec.convert(wire, Endpoint))
