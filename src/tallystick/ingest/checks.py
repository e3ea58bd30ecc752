"""What a job must satisfy by itself, before anything stored is asked (design rules 9 and 11)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from tallystick.errors import InvalidInput
from tallystick.ingest.bodies import Item, WireJob
from tallystick.model.instants import parse_instant
from tallystick.model.jobs import Rejection, RejectionCode
from tallystick.model.names import check_id, check_name, is_plain
from tallystick.model.tokens import holds_token, strike_tokens

_SHOWN: Final = 80
_LONGEST_REASON: Final = 300
_ESCAPED: Final = re.compile(r"\\u00([2-7][0-9a-fA-F])")
"""JSON's long form of the characters that a token may have."""


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A job that is sound by itself."""

    number: int
    job: WireJob
    completed_at: int


class Refusal(NamedTuple):
    """A job that is refused, with the text of it that quarantine keeps."""

    rejection: Rejection
    text: str

    @property
    def digest(self) -> str:
        """Tells a repeat of the same refusal from another."""
        return hashlib.sha256(f"{self.rejection.code}\0{self.text}".encode()).hexdigest()


def check(items: Iterable[Item]) -> tuple[list[Candidate], list[Refusal]]:
    """Parts the items into sound jobs and refusals, each in the order of the request."""
    sound: list[Candidate] = []
    refused: list[Refusal] = []
    names: set[str] = set()
    for item in items:
        if item.job is None:
            refused.append(_unreadable(item))
            continue
        try:
            sound.append(Candidate(item.number, item.job, _checked(item.job, names)))
        except _Unsound as error:
            refused.append(refuse(item.number, item.job, error.code, error.detail))
    return sound, refused


def refuse(number: int, job: WireJob, code: RejectionCode, detail: str) -> Refusal:
    """The refusal of a job that could be read."""
    # Not msgspec: a lone surrogate must not keep the quarantine from taking the item.
    text = json.dumps(_sent(job), separators=(",", ":"), ensure_ascii=not _encodable(job))
    return Refusal(Rejection(number, _shown_id(job.id), code, strike_tokens(detail)), _storable(text))


def shown(text: str) -> str:
    """Text from outside, quoted, cut and made harmless, for a detail that people read."""
    # Struck out before it is cut: half a secret is not known for one.
    struck = strike_tokens(text)
    cut = struck if len(struck) <= _SHOWN else struck[:_SHOWN] + "…"
    return json.dumps(cut, ensure_ascii=not cut.isprintable() or not _is_text(cut))


class _Unsound(Exception):
    def __init__(self, code: RejectionCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def _checked(job: WireJob, names: set[str]) -> int:
    """The job's instant. `names` remembers those that were found good: a request repeats a few many times."""
    if not is_plain(job.id):
        _tell("id", check_id, job.id)
    if job.account not in names:
        _tell("account", check_name, job.account)
        names.add(job.account)
    if job.api_key not in names:
        _tell("api_key", check_name, job.api_key)
        names.add(job.api_key)
    try:
        return parse_instant(job.completed_at)
    except InvalidInput as error:
        raise _unsound("completed_at", error) from None


def _tell(field: str, checked: Callable[[str], str], text: str) -> None:
    """Applies a check to a field. Raises `_Unsound`, naming the field."""
    try:
        checked(text)
    except InvalidInput as error:
        raise _unsound(field, error) from None


def _unsound(field: str, error: InvalidInput) -> _Unsound:
    return _Unsound("secret" if error.code == "secret" else "invalid", f"{field} {error.detail}")


def _unreadable(item: Item) -> Refusal:
    reason = strike_tokens(item.reason)[:_LONGEST_REASON]
    return Refusal(Rejection(item.number, _shown_id(item.id), "invalid", reason), _storable(item.text))


def _shown_id(value: object) -> str | None:
    """An id to name a job by; nothing where it is no id, and never a secret."""
    if not isinstance(value, str):
        return None
    try:
        return check_id(value)
    except InvalidInput:
        return None


def _sent(job: WireJob) -> dict[str, Any]:
    sent = msgspec.structs.asdict(job)
    if not job.sandbox:
        del sent["sandbox"]
    return sent


def _encodable(job: WireJob) -> bool:
    return all(map(_is_text, (job.id, job.account, job.api_key, job.completed_at, *job.tokens)))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _storable(text: str) -> str:
    # PostgreSQL keeps no NUL in text. What stands in its place is no JSON either, or else a replay could store a
    # job that was never sent.
    text = text.replace("\0", "\1")
    if "\\u00" in text:
        plain = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
        text = plain if holds_token(plain) else text
    return strike_tokens(text)
