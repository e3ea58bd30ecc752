"""The quarantine: rejected jobs, why each was refused and what to do about it, and their replay."""

from __future__ import annotations

import json
from typing import Any, Final

from litestar.response import Response

from tallystick.errors import InvalidInput
from tallystick.model.accounts import QuarantinedItem
from tallystick.web.answers import redirect, show
from tallystick.web.pages import Form, action, field, page
from tallystick.web.request import PageRequest

ITEMS_PER_PAGE: Final = 50
_LARGEST_NUMBER: Final = 10**9
_BRIEF: Final = 120

ADVICE: Final = {
    "invalid": "The worker must send it in the right form; replaying it as it is changes nothing.",
    "conflict": "Another job has this id. The worker must give each job an id of its own.",
    "unknown_meter": "Put a version of a price plan that has the meter, then replay.",
    "unknown_account": "Make the account, then replay.",
    "unknown_key": "Make the key on the account's page of access, then replay.",
    "key_kind": "A key is live or sandbox for good. The worker must say of it what it is.",
    "future": "The worker's clock runs ahead. Once the moment has come, replay.",
    "secret": "A token stood in place of a name. Rotate that token; what was sent is not kept whole.",
}
"""What to do about each code, before an item is replayed."""


@page("/quarantine", viewers="provider", summary="Rejected jobs, with the reason and what to do")
def show_quarantine(request: PageRequest) -> Response[bytes]:
    """GET /dashboard/quarantine."""
    found = request.ledger.quarantine.list(cursor=request.values.get("cursor"), limit=ITEMS_PER_PAGE)
    return show(
        request,
        "quarantine.html",
        title="Quarantine",
        items=[_shown(item) for item in found.items],
        total=found.total,
        dropped=found.dropped,
        days=request.settings.quarantine_days,
        replayed=_number(request, "replayed"),
        remaining=_number(request, "remaining"),
        first=request.link_here(cursor=None) if "cursor" in request.values else "",
        next=request.link_here(cursor=found.next_cursor) if found.next_cursor else "",
    )


@action("/quarantine/replay", viewers="provider", summary="Report rejected jobs again")
def replay(request: PageRequest, form: Form) -> Response[bytes]:
    """POST /dashboard/quarantine/replay."""
    if field(form, "which") == "all":
        ids = None
    else:
        ids = [_id(text) for text in form.get("id", ())]
        if not ids:
            return redirect(request.link("/quarantine"))
    result = request.ledger.quarantine.replay(ids)
    told: dict[str, str | None] = {"replayed": str(result.replayed), "remaining": str(result.remaining)}
    return redirect(request.link("/quarantine", told))


def _id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput("The form cannot be read.")
    return int(text)


def _number(request: PageRequest, name: str) -> int | None:
    text = request.values.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST_NUMBER)) else None


def _shown(item: QuarantinedItem) -> dict[str, Any]:
    return {
        "id": item.id,
        "code": item.code,
        "detail": item.detail,
        "advice": ADVICE.get(item.code, ""),
        "item": _readable(item.item),
        "brief": item.item if len(item.item) <= _BRIEF else f"{item.item[:_BRIEF]}…",
        "first_seen_at": item.first_seen_at,
        "last_seen_at": item.last_seen_at,
        "times": item.times,
    }


def _readable(item: str) -> str:
    """What was sent, laid out where it is JSON; as it came where it is not."""
    try:
        return json.dumps(json.loads(item), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return item


ROUTES: Final = (show_quarantine, replay)
