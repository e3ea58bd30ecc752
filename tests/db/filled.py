"""A small ledger whose every derived row is known by heart, to be tampered with.

acme (UTC) has 120 live jobs: 30 of each of two keys on 2025-01-10 and as many on 2025-01-11, in turn, each of 5 and
10 tokens; the free quota ends at rank 100, on the second day. A sandbox key has 3 jobs. berlin has 2 jobs in the last
hour of January in UTC, which are February there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tallystick.model.maintenance import CheckResult, Difference
from tests.embedded import Deployment, Document

ACME: Final = "(SELECT id FROM account WHERE name = 'acme')"
BERLIN: Final = "(SELECT id FROM account WHERE name = 'berlin')"
JANUARY: Final = 2025 * 12
TENTH, ELEVENTH, TWELFTH = 20098, 20099, 20100
FIRST_KEY, SECOND_KEY, SANDBOX_KEY = 1, 2, 3

Told = tuple[str | None, str, str, str | None, str, Any, Any]


def jobs() -> Iterator[Document]:
    for n in range(120):
        day, minute = divmod(n, 60)
        yield {
            "id": f"job_{n + 1:03d}",
            "account": "acme",
            "api_key": ("first", "second")[n % 2],
            "completed_at": f"2025-01-{10 + day}T12:{minute:02d}:00Z",
            "tokens": {"transcription": 5, "note_generation": 10},
        }
    for n in range(3):
        yield {
            "id": f"trial_{n}",
            "account": "acme",
            "api_key": "trial",
            "completed_at": f"2025-01-11T13:0{n}:00Z",
            "tokens": {"transcription": 7},
            "sandbox": True,
        }
    for n in range(2):
        yield {
            "id": f"night_{n}",
            "account": "berlin",
            "api_key": "first",
            "completed_at": f"2025-01-31T23:3{n}:00Z",
            "tokens": {"note_generation": 1},
        }


def fill(deployment: Deployment) -> None:
    """Stores the jobs, one batch after another, and reads a report, which keeps the boundary."""
    deployment.ledger.accounts.create("acme")
    deployment.ledger.accounts.create("berlin", time_zone="Europe/Berlin")
    everything = list(jobs())
    # One by one at first, so that the keys get the numbers above.
    for part in ([everything[0]], [everything[1]], [everything[120]], everything[2:120], everything[121:]):
        assert deployment.ledger.record(part).accepted == len(part)
    assert report(deployment)["totals"]["jobs"] == 120
    assert deployment.rows("SELECT rank FROM boundary") == [(100,)]


def report(deployment: Deployment, account: str = "acme") -> dict[str, Any]:
    return deployment.ledger.usage(account, "2025-01", "2025-02").to_dict()


def told(difference: Difference) -> Told:
    d = difference
    return (d.account, d.table, d.place, d.key, d.field, d.kept, d.recomputed)


def check(deployment: Deployment) -> tuple[list[Difference], CheckResult]:
    found: list[Difference] = []
    result = deployment.ledger.maintenance.check(found.append)
    assert result.differences == len(found)
    return found, result
