"""Webhook endpoints, and the log of what was sent to them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, TypeVar

import msgspec
from litestar import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from msgspec import UNSET, UnsetType

from tallystick.api import examples
from tallystick.api.access import account_if_any
from tallystick.api.bodies import read_document, submit
from tallystick.api.calls import MANAGERS, Answer, Body, Call, json_media, read_answer, route
from tallystick.api.conditional import Content, answer_read
from tallystick.api.parameters import ACCOUNT, CURSOR, LIMIT, STATE, limit_of
from tallystick.api.request import ApiRequest, in_thread
from tallystick.api.responses import answer_json, answer_nothing
from tallystick.model.notices import Event
from tallystick.model.wire import Wire, encode

Result = TypeVar("Result")

_TAG: Final = "webhooks"
_WEBHOOK: Final = {"webhook": "Id of the endpoint."}
_DELIVERY: Final = {**_WEBHOOK, "notice": "Id of the notice, which is the `webhook-id` of every attempt."}
_PATH: Final = "/webhooks/{webhook:str}"
_MOST_OVERLAP_SECONDS: Final = 10**9


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An endpoint to be made. It hears of `events`, of all where they are left out or none is named."""

    url: str
    events: list[Event] | UnsetType = UNSET
    description: str | UnsetType = UNSET


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall change of an endpoint. Without any `events` it hears of all; `on` switches it on or off."""

    url: str | UnsetType = UNSET
    events: list[Event] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    on: bool | UnsetType = UNSET


class WebhookRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the old secret signs beside the new one; a day where it is left out."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=_MOST_OVERLAP_SECONDS)] | UnsetType = UNSET


class MissedReplay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when what was missed shall be sent: an RFC 3339 time with an offset."""

    since: str


@route(
    Call(
        method=HttpMethod.POST,
        paths={"/webhooks": "createWebhook"},
        tag=_TAG,
        summary="Make a webhook endpoint",
        description="Of the account that is named, or of the provider where an admin names none: that one hears of "
        "every account, and alone of `account.created` and `quarantine.added`. The answer holds the secret that signs, "
        "this once. `https` is needed.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        body=Body(description="The endpoint.", media=json_media("NewWebhook", examples.NEW_WEBHOOK)),
        answer=Answer(status=201, description="The endpoint.", media=json_media("NewEndpoint", examples.NEW_ENDPOINT)),
        problems=(400, 404, 409, 413, 415),
    )
)
async def create_webhook(request: ApiRequest) -> Response[bytes]:
    """POST /webhooks."""
    create = partial(request.ledger.webhooks.create, account=account_if_any(request))
    made = await submit(create, await read_document(request, NewWebhook))
    return answer_json(made.to_dict(), status=201)


@route(
    Call(
        method=HttpMethod.GET,
        paths={"/webhooks": "listWebhooks"},
        tag=_TAG,
        summary="Webhook endpoints",
        description="The oldest first, without their secrets. An admin who names no account sees everybody's.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        answer=read_answer("The endpoints.", "EndpointList", examples.ENDPOINT_LIST),
        problems=(400, 404),
    )
)
async def list_webhooks(request: ApiRequest) -> Response[bytes]:
    """GET /webhooks."""
    found = await in_thread(request.ledger.webhooks.list, account_if_any(request))
    return answer_read(request, Content(encode({"webhooks": [endpoint.to_dict() for endpoint in found]})))


@route(
    Call(
        method=HttpMethod.GET,
        paths={_PATH: "getWebhook"},
        tag=_TAG,
        summary="One webhook endpoint",
        description="Whether it is on, and since when it fails.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        answer=read_answer("The endpoint.", "Endpoint", examples.ENDPOINT),
        problems=(400, 404),
    )
)
async def get_webhook(request: ApiRequest) -> Response[bytes]:
    """GET /webhooks/{webhook}."""
    return answer_read(request, _content(await in_thread(_at(request, request.ledger.webhooks.get))))


def _at(request: ApiRequest, work: Callable[..., Result]) -> Callable[..., Result]:
    """A method of the ledger's webhooks, for the endpoint that the path names, among those that the token may see."""
    return partial(work, request.path_name("webhook"), account=account_if_any(request))


def _content(noun: Wire) -> Content:
    return Content(encode(noun.to_dict()))


@route(
    Call(
        method=HttpMethod.PATCH,
        paths={_PATH: "changeWebhook"},
        tag=_TAG,
        summary="Change a webhook endpoint, or switch it on or off",
        description="What waits for an endpoint that is switched off is dropped; a replay sends it later.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        body=Body(description="The change.", media=json_media("WebhookChange", examples.WEBHOOK_CHANGE)),
        answer=Answer(status=200, description="The endpoint.", media=json_media("Endpoint", examples.ENDPOINT)),
        problems=(400, 404, 413, 415),
    )
)
async def change_webhook(request: ApiRequest) -> Response[bytes]:
    """PATCH /webhooks/{webhook}."""
    wanted = await read_document(request, WebhookChange)
    changed = await submit(_at(request, request.ledger.webhooks.change), wanted)
    return answer_json(changed.to_dict())


@route(
    Call(
        method=HttpMethod.DELETE,
        paths={_PATH: "removeWebhook"},
        tag=_TAG,
        summary="Remove a webhook endpoint",
        description="With the log of what was sent to it.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        answer=Answer(status=204, description="It is removed."),
        problems=(400, 404),
    )
)
async def remove_webhook(request: ApiRequest) -> Response[bytes]:
    """DELETE /webhooks/{webhook}."""
    await in_thread(_at(request, request.ledger.webhooks.remove))
    return answer_nothing()


@route(
    Call(
        method=HttpMethod.POST,
        paths={f"{_PATH}/rotate": "rotateWebhook"},
        tag=_TAG,
        summary="Give a webhook endpoint a new secret",
        description="The old one signs too until the overlap is over, so that a receiver may change when it likes.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        body=Body(
            description="May be left out.",
            media=json_media("WebhookRotation", examples.WEBHOOK_ROTATION),
            required=False,
        ),
        answer=Answer(
            status=200,
            description="The endpoint with its new secret.",
            media=json_media("NewEndpoint", examples.NEW_ENDPOINT),
        ),
        problems=(400, 404, 413, 415),
    )
)
async def rotate_webhook(request: ApiRequest) -> Response[bytes]:
    """POST /webhooks/{webhook}/rotate."""
    wanted = await read_document(request, WebhookRotation, empty=WebhookRotation())
    rotated = await submit(_at(request, request.ledger.webhooks.rotate), wanted)
    return answer_json(rotated.to_dict())


@route(
    Call(
        method=HttpMethod.POST,
        paths={f"{_PATH}/test": "testWebhook"},
        tag=_TAG,
        summary="Send a webhook endpoint a test event",
        description="Whichever events it hears of. What comes of it stands in the log of its deliveries.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        answer=Answer(
            status=202, description="It is on its way.", media=json_media("Delivery", examples.TEST_DELIVERY)
        ),
        problems=(400, 404, 409),
    )
)
async def send_test(request: ApiRequest) -> Response[bytes]:
    """POST /webhooks/{webhook}/test."""
    sent = await in_thread(_at(request, request.ledger.webhooks.test))
    return answer_json(sent.to_dict(), status=202)


@route(
    Call(
        method=HttpMethod.GET,
        paths={f"{_PATH}/deliveries": "listDeliveries"},
        tag=_TAG,
        summary="What was sent to a webhook endpoint",
        description="The newest first, for as long as the setting `webhook_log_days` says.",
        allowed=MANAGERS,
        parameters=(STATE, CURSOR, LIMIT, ACCOUNT),
        path_parameters=_WEBHOOK,
        answer=read_answer("A page of deliveries.", "DeliveryPage", examples.DELIVERY_PAGE),
        problems=(400, 404),
    )
)
async def list_deliveries(request: ApiRequest) -> Response[bytes]:
    """GET /webhooks/{webhook}/deliveries."""
    given = {name: request.values.get(name) for name in ("state", "cursor")}
    read = partial(_at(request, request.ledger.webhooks.deliveries), **given, limit=limit_of(request))
    return answer_read(request, _content(await in_thread(read)))


@route(
    Call(
        method=HttpMethod.GET,
        paths={f"{_PATH}/deliveries/{{notice:str}}": "getDelivery"},
        tag=_TAG,
        summary="One delivery, with what was sent and every attempt",
        description="Each attempt with its time, the status of the answer and how long it took.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_DELIVERY,
        answer=read_answer("The delivery.", "DeliveryLog", examples.DELIVERY_LOG),
        problems=(400, 404),
    )
)
async def get_delivery(request: ApiRequest) -> Response[bytes]:
    """GET /webhooks/{webhook}/deliveries/{notice}."""
    read = partial(_at(request, request.ledger.webhooks.delivery), request.path_name("notice"))
    return answer_read(request, _content(await in_thread(read)))


@route(
    Call(
        method=HttpMethod.POST,
        paths={f"{_PATH}/deliveries/{{notice:str}}/replay": "replayDelivery"},
        tag=_TAG,
        summary="Send a notice to a webhook endpoint again",
        description="Under the same `webhook-id`, whatever has become of it before, and with all its retries.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_DELIVERY,
        answer=Answer(status=202, description="It is on its way.", media=json_media("Delivery", examples.DELIVERY)),
        problems=(400, 404, 409),
    )
)
async def replay_delivery(request: ApiRequest) -> Response[bytes]:
    """POST /webhooks/{webhook}/deliveries/{notice}/replay."""
    sent = await in_thread(partial(_at(request, request.ledger.webhooks.replay), request.path_name("notice")))
    return answer_json(sent.to_dict(), status=202)


@route(
    Call(
        method=HttpMethod.POST,
        paths={f"{_PATH}/replay": "replayMissed"},
        tag=_TAG,
        summary="Send a webhook endpoint what it missed",
        description="What was said since an instant and was given up, dropped or never sent, while it was off or "
        "before it was made. At most 10,000 notices; the next call sends the rest. `since` must not lie before the "
        "log of deliveries begins.",
        allowed=MANAGERS,
        parameters=(ACCOUNT,),
        path_parameters=_WEBHOOK,
        body=Body(description="Since when.", media=json_media("MissedReplay", examples.MISSED_REPLAY)),
        answer=Answer(
            status=202, description="They are on their way.", media=json_media("Replayed", examples.REPLAYED)
        ),
        problems=(400, 404, 409, 413, 415),
    )
)
async def replay_missed(request: ApiRequest) -> Response[bytes]:
    """POST /webhooks/{webhook}/replay."""
    wanted = await read_document(request, MissedReplay)
    replayed = await submit(_at(request, request.ledger.webhooks.replay_missed), wanted)
    return answer_json(replayed.to_dict(), status=202)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    create_webhook,
    list_webhooks,
    get_webhook,
    change_webhook,
    remove_webhook,
    rotate_webhook,
    send_test,
    list_deliveries,
    get_delivery,
    replay_delivery,
    replay_missed,
)
