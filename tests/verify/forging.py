"""A server of a deployment with three closed months, and somebody between it and the customer who forges answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tallystick import Client, verify
from tallystick.ledger import Ledger
from tallystick.ledger.signing import Signer
from tallystick.model.plans import Plan
from tallystick.model.statement import document_digest
from tallystick.model.wire import decode, encode
from tallystick.serve import running
from tallystick.settings import Settings
from tallystick.verify import Verification
from tests.embedded import Deployment, job, plan

ACCOUNT: Final = "acme"
MONTHS: Final = ("2025-01", "2025-02", "2025-03")
JOBS_A_MONTH: Final = 40

OF_THE_BODY: Final = {"content-length", "content-encoding", "transfer-encoding", "tallystick-next-cursor"}

Answer = httpx.Response
Line = dict[str, Any]


def tiered(**fields: Any) -> Plan:
    """The plan of the account; fields given replace those."""
    tiers = [{"after_jobs": after, "discount": str(after // 10)} for after in (0, 30, 70, 100)]
    return plan("tiered", **{"free_jobs": 10, "tiers": tiers, **fields})


def fill(deployment: Deployment, behind_january: Callable[[Deployment], None]) -> None:
    """Three months with a boundary in each, two keys, a voided job in each and a late one in March; all closed.

    `behind_january` happens when January is closed.
    """
    ledger = deployment.ledger
    ledger.plans.put(tiered())
    ledger.accounts.create(ACCOUNT, plan="tiered", time_zone="Europe/Zurich")
    deployment.set_clock("2025-03-20T12:00:00Z")
    for month in (1, 2):
        ledger.record(jobs(month))
        ledger.void(ACCOUNT, f"{month}-05", reason="reported twice")
    ledger.statements.close("2025-01")
    behind_january(deployment)
    ledger.record([job("late", completed_at="2025-01-31T00:00:00Z"), *jobs(3)[:20]])
    deployment.set_clock("2025-04-10T12:00:00Z")
    ledger.record(jobs(3)[20:])
    ledger.void(ACCOUNT, "3-05", reason="reported twice")
    ledger.statements.close("2025-03")


def jobs(month: int) -> list[Line]:
    return [
        job(
            f"{month}-{n:02d}",
            api_key=f"key {n % 2}",
            completed_at=f"2025-0{month}-{1 + n // 2:02d}T10:{n:02d}:00Z",
            tokens={"transcription": n, "note_generation": 3 * n % 7},
        )
        for n in range(JOBS_A_MONTH)
    ]


@dataclass
class Between(httpx.BaseTransport):
    """Hands requests on, and forges the answers as it was told."""

    forges: list[Callable[[httpx.Request, Answer], Answer]] = field(default_factory=list)
    fails: list[Callable[[httpx.Request], None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> Answer:
        self.asked.append(request.url.raw_path.decode())
        for fail in self.fails:
            fail(request)
        answer = self._real.handle_request(request)
        answer.read()
        for forge in self.forges:
            answer = forge(request, answer)
        return answer

    def close(self) -> None:
        self._real.close()


def forged(answer: Answer, body: bytes, **headers: str) -> Answer:
    """The answer with another body, which is all there is, and other headers where any are given."""
    kept = {name: value for name, value in answer.headers.items() if name not in OF_THE_BODY}
    kept.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Answer(answer.status_code, headers=kept, content=body)


@dataclass
class Customer:
    """A customer of a running deployment, with a file of what held before."""

    url: str
    token: str
    ledger: Ledger
    trusted: Path
    between: Between = field(default_factory=Between)

    def verify(self, month: str = MONTHS[-1], **given: Any) -> Verification:
        with Client(
            base_url=self.url, token=self.token, transport=self.between, sleep=lambda _: None, max_retries=2
        ) as client:
            return verify.statement(client, month, **{"trusted": self.trusted, **given})

    # Forging

    def forge_lines(self, month: str, change: Callable[[list[Line]], list[Line]]) -> None:
        """Changes the lines of a month's ledger; `change` gets all of them and gives those that are sent, at once."""

        def forge(request: httpx.Request, answer: Answer) -> Answer:
            if request.url.path != "/jobs" or request.url.params["start_month"] != month:
                return answer
            with self.ledger.job_lines(ACCOUNT, month, month, voided=True) as found:
                lines = change([decode(line) for chunk in found for line in chunk.splitlines()])
            return forged(answer, b"".join(encode(line) + b"\n" for line in lines))

        self.between.forges.append(forge)

    def forge_statement(
        self, month: str, change: Callable[[dict[str, Any]], None], *, signer: Signer | None = None
    ) -> None:
        """Changes a month's statement; it is signed again where a signer is given."""

        def forge(request: httpx.Request, answer: Answer) -> Answer:
            if request.url.path != f"/statements/{month}":
                return answer
            document = decode(answer.content)
            change(document)
            body = encode(document)
            if signer is None:
                return forged(answer, body)
            signed = signer.signed(body)
            return forged(answer, body, tallystick_signature=signed.signature, tallystick_signed_by=signer.id)

        self.between.forges.append(forge)

    def forge_keys(self, change: Callable[[list[dict[str, Any]]], None]) -> None:
        """Changes the published keys."""

        def forge(request: httpx.Request, answer: Answer) -> Answer:
            if request.url.path != "/.well-known/tallystick.json":
                return answer
            document = json.loads(answer.content)
            change(document["signing_keys"])
            return forged(answer, json.dumps(document).encode())

        self.between.forges.append(forge)

    def rewrite_history(self, change: Callable[[dict[str, Any]], None], signer: Signer) -> None:
        """Changes the first statement, and lets all behind it name its successor: the chain is whole again."""
        digests: dict[str, str] = {}
        for place, month in enumerate(MONTHS):
            document = decode(self.ledger.statements.get(ACCOUNT, month).document)
            if place:
                document["previous"]["sha256"] = digests[MONTHS[place - 1]]
            else:
                change(document)
            digests[month] = document_digest(encode(document))

        def rewrite(document: dict[str, Any]) -> None:
            place = MONTHS.index(document["month"])
            if place:
                document["previous"]["sha256"] = digests[MONTHS[place - 1]]
            else:
                change(document)

        for month in MONTHS:
            self.forge_statement(month, rewrite, signer=signer)


@contextmanager
def serving(deployment: Deployment, folder: Path) -> Iterator[Customer]:
    """A customer of the deployment, over HTTP."""
    ledger = deployment.ledger
    token = ledger.tokens.create("usage", account=ACCOUNT).token
    with running(ledger, ledger.settings) as url:
        yield Customer(url, token, ledger, folder / "trusted.json")


def new_deployment(
    database: str, folder: Path, behind_january: Callable[[Deployment], None] = lambda _: None
) -> Deployment:
    """A filled deployment."""
    deployment = Deployment(database, Settings(signing_folder=str(folder / "keys")), "2025-01-01T00:00:00Z")
    fill(deployment, behind_january)
    return deployment
