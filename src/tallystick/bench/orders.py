"""What the load generator is told and what it answers: the words between two processes."""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct):
    """What to send: the requests of a file (MessagePack, a list of bytes), `times` over, in turn on each connection.

    The first `warm_up` are sent before the clock starts.
    """

    host: str
    port: int
    connections: int
    requests: str
    times: int = 1
    warm_up: int = 0


class Sent(msgspec.Struct):
    """What came of it. `accepted` counts the jobs that the server says it has stored.

    `p50` and `p99` are how long answers took, in milliseconds; `unexpected` is the first answer other than 200.
    """

    seconds: float
    accepted: int
    p50: float
    p99: float
    unexpected: str = ""
