"""Webhooks on the pages: an account's endpoints beside its alerts, the provider's own, and what was sent to each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from tallystick.errors import Conflict, InvalidInput, NotFound, TallystickError
from tallystick.model.notices import FOR_ACCOUNTS, Event
from tallystick.model.webhooks import WHY_OFF, DeliveryState, Endpoint, NewEndpoint
from tallystick.web.answers import redirect, show
from tallystick.web.pages import Action, Form, Page, action, field, page
from tallystick.web.request import PageRequest

ALERTS: Final = "/alerts"
OF_ACCOUNTS: Final = (f"{ALERTS}/webhooks", f"/accounts/{{account:str}}{ALERTS}/webhooks")
OF_THE_PROVIDER: Final = "/webhooks"
ROWS_PER_PAGE: Final = 50
OVERLAP_HOURS: Final = (0, 1, 24, 168)

DONE: Final = {
    "changed": "The change is made.",
    "on": "The endpoint is on. What it missed is sent where you ask for it below.",
    "off": "The endpoint is off, and what waited for it is dropped.",
    "removed": "The endpoint is removed, with the log of what was sent there.",
    "test": "A test event is on its way; the log below tells what comes of it.",
    "replayed": "The notice is on its way again, under the same id.",
    "missed": "What it missed is on its way.",
    "nothing-missed": "It has missed nothing since then.",
}
"""What a page says after a form has done its work; the URL holds the word alone."""


class Given(NamedTuple):
    """What the form of an endpoint holds; no event stands for all of them."""

    url: str = ""
    description: str = ""
    events: tuple[str, ...] = ()


class Section(NamedTuple):
    """The endpoints of an account or of the provider, and the form that adds one. `base` is where their pages are."""

    base: str
    endpoints: list[tuple[Endpoint, str]]
    events: list[Event]
    given: Given
    problems: Mapping[str, str]


def endpoint_section(request: PageRequest, given: Given | None = None, error: InvalidInput | None = None) -> Section:
    """What a page shows of the endpoints, with what was given where that was refused."""
    account = _account(request)
    known = [each for each in request.ledger.webhooks.list(account) if account is not None or each.account is None]
    return Section(
        base=request.link(_base(request)),
        endpoints=[(endpoint, state_of(endpoint)) for endpoint in known],
        events=_events(account),
        given=given or Given(),
        problems=_problems(error),
    )


def state_of(endpoint: Endpoint) -> str:
    """Whether an endpoint is on, in words."""
    if endpoint.off_since is not None and endpoint.off_reason is not None:
        return f"off since {_minute(endpoint.off_since)}: {WHY_OFF[endpoint.off_reason]}"
    return "on" if endpoint.failing_since is None else f"failing since {_minute(endpoint.failing_since)}"


def show_webhooks(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/webhooks and …/alerts/webhooks."""
    return _list_page(request)


def create_webhook(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/webhooks and …/alerts/webhooks."""
    given = _given(form)
    try:
        made = request.ledger.webhooks.create(
            given.url, account=_account(request), events=given.events or None, description=given.description
        )
    except (InvalidInput, Conflict) as error:
        return _list_page(request, given, error)
    # Not a redirect: the secret is shown by this answer alone.
    return _endpoint_page(request, made.endpoint.id, made=made)


def show_webhook(request: PageRequest) -> Response[bytes]:
    """GET …/webhooks/{webhook}."""
    return _endpoint_page(request, request.path_name("webhook"))


def change_webhook(request: PageRequest, form: Form) -> Response[bytes]:
    """POST …/webhooks/{webhook}, whose field ``act`` says what to do."""
    webhook, act = request.path_name("webhook"), field(form, "act")
    _found(request, webhook)
    try:
        if act == "rotate":
            hours = field(form, "overlap_hours")
            if hours not in map(str, OVERLAP_HOURS):
                raise InvalidInput.parameter("overlap_hours", "must be one of those offered")
            made = request.ledger.webhooks.rotate(webhook, account=_account(request), overlap_seconds=int(hours) * 3600)
            return _endpoint_page(request, webhook, made=made)
        word = _acts(request, webhook, form)[act]() if act in _ACTS else ""
    except (InvalidInput, Conflict) as error:
        return _endpoint_page(request, webhook, given=_given(form) if act == "change" else None, error=error)
    here = "" if word == "removed" else f"/{quote(webhook, safe='')}"
    return redirect(request.link(f"{_base(request)}{here}", {"done": word}))


_ACTS: Final = frozenset({"change", "on", "off", "test", "missed", "remove"})


def _acts(request: PageRequest, webhook: str, form: Form) -> Mapping[str, Callable[[], str]]:
    """What can be done to an endpoint; each gives the word of `DONE` that tells of it."""
    webhooks, account = request.ledger.webhooks, _account(request)

    def change() -> str:
        given = _given(form)
        webhooks.change(webhook, account=account, url=given.url, events=given.events, description=given.description)
        return "changed"

    def switch(*, on: bool) -> str:
        webhooks.change(webhook, account=account, on=on)
        return "on" if on else "off"

    def test() -> str:
        webhooks.test(webhook, account=account)
        return "test"

    def missed() -> str:
        since = f"{field(form, 'since')}T00:00:00Z"
        sent = webhooks.replay_missed(webhook, account=account, since=since)
        return "missed" if sent.replayed else "nothing-missed"

    def remove() -> str:
        webhooks.remove(webhook, account=account)
        return "removed"

    return {
        "change": change,
        "on": lambda: switch(on=True),
        "off": lambda: switch(on=False),
        "test": test,
        "missed": missed,
        "remove": remove,
    }


def show_delivery(request: PageRequest) -> Response[bytes]:
    """GET …/webhooks/{webhook}/{notice}."""
    return _delivery_page(request)


def replay_delivery(request: PageRequest, form: Form) -> Response[bytes]:
    """POST …/webhooks/{webhook}/{notice}."""
    del form
    webhook, notice = request.path_name("webhook"), request.path_name("notice")
    _found(request, webhook)
    try:
        request.ledger.webhooks.replay(webhook, notice, account=_account(request))
    except Conflict as error:
        return _delivery_page(request, error)
    here = f"{_base(request)}/{quote(webhook, safe='')}/{quote(notice, safe='')}"
    return redirect(request.link(here, {"done": "replayed"}))


# Pages


def _list_page(
    request: PageRequest, given: Given | None = None, error: TallystickError | None = None
) -> Response[bytes]:
    return show(
        request,
        "webhooks.html",
        status=_status(error),
        title="Webhooks",
        webhooks=endpoint_section(request, given, error if isinstance(error, InvalidInput) else None),
        problem=error.detail if isinstance(error, Conflict) else "",
        done=DONE.get(request.values.get("done", ""), ""),
    )


def _endpoint_page(
    request: PageRequest,
    webhook: str,
    *,
    made: NewEndpoint | None = None,
    given: Given | None = None,
    error: TallystickError | None = None,
) -> Response[bytes]:
    """An endpoint with what was sent there; `made` holds a secret that is shown this once."""
    endpoint = _found(request, webhook)
    path = f"{_base(request)}/{quote(webhook, safe='')}"
    request.stand_for(path)
    state = request.values.get("state")
    sent = request.ledger.webhooks.deliveries(
        webhook, state=state, cursor=request.values.get("cursor"), limit=ROWS_PER_PAGE
    )
    older = None if sent.next_cursor is None else request.link_here(cursor=sent.next_cursor, done=None)
    return show(
        request,
        "webhook.html",
        status=201 if made else _status(error),
        title="Webhook",
        endpoint=endpoint,
        state=state_of(endpoint),
        base=request.link(_base(request)),
        here=request.link(path),
        events=_events(_account(request)),
        given=given or Given(endpoint.url, endpoint.description, endpoint.events or ()),
        problems=_problems(error),
        problem=error.detail if isinstance(error, Conflict) else "",
        done="" if made or error else DONE.get(request.values.get("done", ""), ""),
        made=made,
        overlaps=OVERLAP_HOURS,
        deliveries=sent.deliveries,
        states=[(each.value, request.link(path, {"state": each.value})) for each in DeliveryState],
        chosen=state,
        older=older,
    )


def _delivery_page(request: PageRequest, error: Conflict | None = None) -> Response[bytes]:
    webhook, notice = request.path_name("webhook"), request.path_name("notice")
    endpoint = _found(request, webhook)
    log = request.ledger.webhooks.delivery(webhook, notice)
    return show(
        request,
        "delivery.html",
        status=_status(error),
        title="Delivery",
        endpoint=endpoint,
        log=log,
        back=request.link(f"{_base(request)}/{quote(webhook, safe='')}"),
        here=request.link(f"{_base(request)}/{quote(webhook, safe='')}/{quote(notice, safe='')}"),
        problem="" if error is None else error.detail,
        done="" if error else DONE.get(request.values.get("done", ""), ""),
    )


# Whose endpoints


def _account(request: PageRequest) -> str | None:
    """The account whose endpoints are meant; `None` for the provider's own."""
    return None if request.own_account is None and "account" not in request.path_params else request.account


def _base(request: PageRequest) -> str:
    """Where these endpoints' pages are, below the prefix."""
    return OF_THE_PROVIDER if _account(request) is None else f"{request.account_base}{OF_ACCOUNTS[0]}"


def _found(request: PageRequest, webhook: str) -> Endpoint:
    """The endpoint, where it is one of those that are meant. Raises `NotFound`."""
    account = _account(request)
    endpoint = request.ledger.webhooks.get(webhook, account=account)
    if endpoint.account != account:
        # An account's own, which the provider finds among the account's pages.
        raise NotFound("there is no such webhook endpoint", code="unknown_webhook")
    return endpoint


def _events(account: str | None) -> list[Event]:
    """What an endpoint can hear of; a test goes to every one."""
    heard = tuple(Event) if account is None else FOR_ACCOUNTS
    return [event for event in heard if event is not Event.WEBHOOK_TEST]


def _given(form: Form) -> Given:
    return Given(field(form, "url").strip(), field(form, "description").strip(), form.get("events", ()))


def _problems(error: TallystickError | None) -> Mapping[str, str]:
    return {each.parameter: each.detail for each in error.errors} if isinstance(error, InvalidInput) else {}


def _status(error: TallystickError | None) -> int:
    return 200 if error is None else 409 if isinstance(error, Conflict) else 400


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


# Routes


def _pages(rest: str, make: Page, summary: str) -> list[HTTPRouteHandler]:
    """A page for accounts, and the same for the provider's own endpoints."""
    return [
        page(*(f"{path}{rest}" for path in OF_ACCOUNTS), viewers="managers", summary=summary)(make),
        page(f"{OF_THE_PROVIDER}{rest}", viewers="provider", summary=f"{summary}: the provider's own")(make),
    ]


def _actions(rest: str, act: Action, summary: str) -> list[HTTPRouteHandler]:
    return [
        action(*(f"{path}{rest}" for path in OF_ACCOUNTS), viewers="managers", summary=summary)(act),
        action(f"{OF_THE_PROVIDER}{rest}", viewers="provider", summary=f"{summary}: the provider's own")(act),
    ]


_ONE: Final = "/{webhook:str}"
_DELIVERY: Final = f"{_ONE}/{{notice:str}}"

ROUTES: Final[tuple[Any, ...]] = (
    *_pages("", show_webhooks, "Webhook endpoints"),
    *_actions("", create_webhook, "Make a webhook endpoint, and show its secret this once"),
    *_pages(_ONE, show_webhook, "A webhook endpoint, and what was sent there"),
    *_actions(_ONE, change_webhook, "Change, switch, test or remove a webhook endpoint, or give it a new secret"),
    *_pages(_DELIVERY, show_delivery, "A delivery: what was sent, and each attempt"),
    *_actions(_DELIVERY, replay_delivery, "Send a notice to a webhook endpoint again"),
)
