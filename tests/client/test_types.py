"""The types that a type checker sees. The functions here are never called: mypy reads them with the rest."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

import httpx

from tallystick import AsyncClient, Client, IngestResult, Job, UsageReport
from tallystick.model.accounts import Account, AccountPage, ApiKey, NewToken, PlanInfo, QuarantinePage, TokenInfo
from tallystick.model.events import WebhookEvent
from tallystick.model.explanation import Explanation
from tallystick.model.jobs import LedgerLines, LedgerPage, VoidedJob
from tallystick.model.notices import NoticePage
from tallystick.model.report import AccountsReport, DailyReport
from tallystick.model.simulation import Simulation
from tallystick.model.webhooks import DeliveryPage, NewEndpoint


def sync_types(client: Client, job: Job) -> None:
    usage = client.usage.get("2025-01", end_month="2025-03", account="acme")
    assert_type(usage, UsageReport)
    assert_type(usage.totals.final_cost, Decimal)
    assert_type(client.usage.explain("2025-01"), Explanation)
    assert_type(client.usage.daily("2025-01-01"), DailyReport)
    assert_type(client.usage.accounts(limit=5), AccountsReport)
    assert_type(client.jobs.record(job), IngestResult)
    assert_type(client.jobs.record_many([job, {"id": "j"}], batch_size=5), IngestResult)
    assert_type(client.jobs.list(cursor="c"), LedgerPage)
    assert_type(client.jobs.lines(voided=True), LedgerLines)
    assert_type(client.jobs.void("j", account="acme", reason="twice"), VoidedJob)
    assert_type(client.accounts.create("acme"), Account)
    assert_type(client.accounts.list(), AccountPage)
    assert_type(client.accounts.keys("acme"), tuple[ApiKey, ...])
    assert_type(client.tokens.create("admin"), NewToken)
    assert_type(client.tokens.list(), tuple[TokenInfo, ...])
    assert_type(client.plans.list(), tuple[PlanInfo, ...])
    assert_type(client.plans.simulate({}), tuple[Simulation, ...])
    assert_type(client.quarantine.list(), QuarantinePage)
    assert_type(client.notices.list(account="acme"), NoticePage)
    assert_type(client.webhooks.create("https://x.example/", events=["tier.reached"]), NewEndpoint)
    assert_type(client.webhooks.deliveries("whe_1", state="failed"), DeliveryPage)
    assert_type(client.webhooks.unwrap(b"", {}, "whsec_"), WebhookEvent)
    client.usage.get(month="2025-01")  # type: ignore[call-arg]
    client.usage.get("2025-01", "2025-02", "acme")  # type: ignore[call-arg]
    client.usage.get(202501)  # type: ignore[arg-type]


async def async_types(client: AsyncClient, job: Job) -> None:
    assert_type(await client.usage.get("2025-01"), UsageReport)
    assert_type(await client.jobs.record(job), IngestResult)
    assert_type(await client.jobs.record_many([job]), IngestResult)
    assert_type(await client.accounts.keys("acme"), tuple[ApiKey, ...])
    await client.usage.get(month="2025-01")  # type: ignore[call-arg]


def test_the_transport_of_each_twin_is_of_its_own_kind() -> None:
    """Both take httpx's stand-in, which is of both kinds."""
    stand_in = httpx.MockTransport(lambda request: httpx.Response(204))
    assert isinstance(stand_in, httpx.BaseTransport)
    assert isinstance(stand_in, httpx.AsyncBaseTransport)
