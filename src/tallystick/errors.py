"""Every error that Tallystick raises, as one tree.

::

    TallystickError
    ├── InvalidInput            a value breaks a rule; `errors` names each parameter, pointer or key
    │   ├── InvalidPlan         a price plan breaks a rule
    │   └── WebhookRejected     (SDK) a received webhook whose signature, time or body does not hold
    ├── NotFound                an account, key, token, plan or quarantined item that does not exist
    ├── Conflict                the request is sound but contradicts what is stored
    ├── Unauthenticated         no token, or one that is malformed, unknown, expired or revoked
    ├── Forbidden               a good token without the authority for this
    ├── TooLarge                more bytes or items than are taken at once
    ├── UnsupportedMedia        a body in a format that is not taken
    ├── TooManyRequests         a token has used up what it may ask for, for the moment
    ├── MissingExtra            a part is not installed; `detail` names the extra that brings it
    ├── StoreError              the database cannot be used
    │   └── StoreUnavailable    it may work again in a moment
    ├── SigningKeyError         the key that signs statements cannot be used
    └── RequestError            (SDK) a call that did not give an answer
        ├── ConnectionFailed    the server could not be reached
        │   └── RequestTimeout  it was reached and did not answer in time
        └── ResponseError       the server answered with an error
            ├── BadRequest           400, 413, 415, 422 and other 4xx
            ├── AuthenticationFailed 401
            ├── PermissionDenied     403
            ├── ResourceNotFound     404
            ├── ResourceConflict     409
            ├── RateLimited          429
            └── ServerFailed         5xx

The upper half knows no HTTP: `tallystick.api.problems` holds the one table that maps it to statuses.
Every error has a `code` (a stable word for programs) and a `detail` (a sentence for people);
what the SDK raises has `status` and `request_id` besides, `None` where no response came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reason why an input was refused, and where it stands.

    Exactly one of `parameter` (a query parameter or argument), `pointer` (a JSON pointer into the body)
    and `key` (a path in a plan file, such as ``meters[1].price``) is given. `line` is the plan file's, from 1, where
    the file was read.
    """

    detail: str
    parameter: str = ""
    pointer: str = ""
    key: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """The parameter, pointer or key, whichever is given."""
        return self.parameter or self.pointer or self.key

    @property
    def sentence(self) -> str:
        """The reason behind its line and place, as far as they are known."""
        line = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (line, self.place, self.detail) if part)


class TallystickError(Exception):
    """The root of every error that Tallystick raises on purpose."""

    code: str = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class InvalidInput(TallystickError):
    """A value breaks a rule. `errors` names each offending place."""

    code = "invalid"

    def __init__(self, detail: str, *, code: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, code=code)
        self.errors = tuple(errors)

    @classmethod
    def parameter(cls, parameter: str, detail: str, *, code: str | None = None) -> InvalidInput:
        """An error about a single query parameter or argument."""
        return cls(f"{parameter}: {detail}", code=code, errors=[FieldError(detail, parameter=parameter)])

    @classmethod
    def pointer(cls, pointer: str, detail: str, *, code: str | None = None) -> InvalidInput:
        """An error about a single place in a request body."""
        return cls(f"{pointer or 'body'}: {detail}", code=code, errors=[FieldError(detail, pointer=pointer)])


class InvalidPlan(InvalidInput):
    """A price plan breaks a rule. Each of `errors` names the plan's key."""

    code = "invalid_plan"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(error.sentence for error in errors), errors=errors)


class WebhookRejected(InvalidInput):
    """A webhook was received whose signature, time or body does not hold: it may come from anybody."""

    code = "webhook_rejected"


class NotFound(TallystickError):
    """What was named does not exist, or not for this token."""

    code = "not_found"


class Conflict(TallystickError):
    """The request contradicts what is stored."""

    code = "conflict"


class Unauthenticated(TallystickError):
    """There is no token, or none that holds."""

    code = "unauthenticated"


class Forbidden(TallystickError):
    """The token holds, but not for this."""

    code = "forbidden"


class TooLarge(TallystickError):
    """The request has more bytes or items than are taken at once."""

    code = "too_large"


class UnsupportedMedia(TallystickError):
    """The body is in a format that this call does not take."""

    code = "unsupported_media_type"


class TooManyRequests(TallystickError):
    """A token has made as many requests as it may; `retry_after_seconds` says when it may make another."""

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class MissingExtra(TallystickError):
    """A part is not installed: `needed` says what for, `extra` names what brings it."""

    code = "missing_extra"

    def __init__(self, needed: str, extra: str) -> None:
        super().__init__(f"{needed}, which is not installed; it comes with: pip install 'tallystick[{extra}]'")


class StoreError(TallystickError):
    """The database cannot be used; `detail` says why and what to do."""

    code = "store_error"


class StoreUnavailable(StoreError):
    """The database cannot be used now; the same request may work in a moment."""

    code = "store_unavailable"


class SigningKeyError(TallystickError):
    """The key that signs statements cannot be used; `detail` says why and what to do."""

    code = "signing_key_error"


class RequestError(TallystickError):
    """A call of the SDK gave no answer.

    `status` is the HTTP status and `request_id` the server's name for the request; both are `None`
    where no response came.
    """

    code = "request_failed"

    def __init__(
        self, detail: str, *, status: int | None = None, code: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.request_id = request_id

    def __str__(self) -> str:
        where = [str(self.status)] if self.status is not None else []
        where.append(self.code)
        if self.request_id:
            where.append(f"request {self.request_id}")
        return f"{self.detail} ({', '.join(where)})"


class ConnectionFailed(RequestError):
    """The server could not be reached, or hung up without an answer."""

    code = "connection_failed"


class RequestTimeout(ConnectionFailed):
    """The server did not answer in time. What it was asked may still have happened."""

    code = "timeout"


class ResponseError(RequestError):
    """The server answered with a problem document; `errors` names each place it complains of."""

    errors: tuple[FieldError, ...] = ()
    statuses: ClassVar[tuple[int, ...]] = ()


class BadRequest(ResponseError):
    """400, 413, 415, 422, or another 4xx that has no class of its own."""


class AuthenticationFailed(ResponseError):
    """401: no token, or one that does not hold."""

    statuses = (401,)


class PermissionDenied(ResponseError):
    """403: the token holds, but not for this."""

    statuses = (403,)


class ResourceNotFound(ResponseError):
    """404."""

    statuses = (404,)


class ResourceConflict(ResponseError):
    """409."""

    statuses = (409,)


class RateLimited(ResponseError):
    """429: too many requests, also after the retries."""

    statuses = (429,)


class ServerFailed(ResponseError):
    """5xx, also after the retries."""
