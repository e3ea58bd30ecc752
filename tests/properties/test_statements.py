"""Statements never change, whatever arrives afterwards, and what they say is what the ledger gives for ever."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event
from hypothesis import strategies as st

from tallystick.errors import Conflict, InvalidInput
from tallystick.model.statement import SignedStatement
from tallystick.settings import Settings
from tallystick.verify.months import check_month, check_opening
from tallystick.verify.plans import PlanVersions
from tests.databases import Databases
from tests.properties.playing import Deployment, for_all, new_deployment, outcome_of, submit_all
from tests.properties.test_reports import batches, check_reports
from tests.reference import rater
from tests.reference.rater import Provider
from tests.reference.strategies import Scenario, plan_documents, provider_of, scenarios

Statements = dict[tuple[str, str], SignedStatement]
"""Every statement that was seen, by account and month."""


class Play:
    """A deployment beside its reference, and the statements that were seen so far."""

    def __init__(self, deployment: Deployment, provider: Provider, scenario: Scenario) -> None:
        self.deployment = deployment
        self.provider = provider
        self.scenario = scenario
        self.seen: Statements = {}

    def close(self, data: st.DataObject) -> None:
        """Closes a month of an account, if it is over."""
        account = data.draw(st.sampled_from(self.scenario.accounts))
        month = data.draw(st.sampled_from(self.scenario.months(account)))
        due_at = rater.month_start(account.zone, rater.next_month(month)) + timedelta(hours=48)
        known = self.provider.accounts[account.name]
        if self.deployment.now < due_at and known.closed_through < month:
            with pytest.raises(Conflict, match="can be closed from"):
                self.deployment.ledger.statements.close(month, account.name)
            return
        (closed,) = self.deployment.ledger.statements.close(month, account.name).accounts
        if closed.outcome == "closed":
            assert closed.statements[-1] == month
            known.closed_through = month

    def void(self, data: st.DataObject) -> None:
        """Voids a live job; in a closed month that is refused."""
        account = data.draw(st.sampled_from(self.scenario.accounts))
        known = self.provider.accounts[account.name]
        live = sorted(job.id for job in known.jobs.values() if not job.sandbox and job.id not in known.voided)
        if not live:
            return
        job_id = data.draw(st.sampled_from(live))
        if rater.month_of(known.zone, known.jobs[job_id].booked_at) <= known.closed_through:
            with pytest.raises(Conflict, match="a statement never changes afterwards"):
                self.deployment.ledger.void(account.name, job_id, reason="a mistake")
        else:
            self.deployment.ledger.void(account.name, job_id, reason="a mistake")
            known.voided.add(job_id)

    def change_plans(self, data: st.DataObject) -> None:
        """Puts a plan, or a version of one, from any month on, or lets an account change to it; or is refused."""
        document = data.draw(plan_documents(data.draw(st.sampled_from(["standard", "later"]))))
        account = data.draw(st.sampled_from(self.scenario.accounts))
        month = data.draw(st.sampled_from(self.scenario.months(account)))
        since = month if document["name"] in self.provider.plans else rater.ALWAYS
        try:
            self.deployment.put_plan(since, document)
            self.provider.put_plan(document, since)
            self.deployment.ledger.accounts.change(account.name, plan=document["name"], plan_from=month)
            self.provider.accounts[account.name].plans[month] = document["name"]
        except (Conflict, InvalidInput) as error:
            event(f"a plan was refused: {error.code}")

    def wait(self, data: st.DataObject) -> None:
        """Lets time pass."""
        self.deployment.now += timedelta(days=data.draw(st.sampled_from([1, 3, 35])))

    def reopen(self, _: st.DataObject) -> None:
        self.deployment.reopen()

    def forget(self, _: st.DataObject) -> None:
        self.deployment.forget_boundaries()

    def check_unchanged(self) -> None:
        """Every statement that was there is there, byte for byte; notes down those that are new."""
        ledger = self.deployment.ledger
        found = {
            (account.name, info.month): ledger.statements.get(account.name, info.month)
            for account in self.scenario.accounts
            for info in ledger.statements.list(account.name)
        }
        assert found.items() >= self.seen.items()
        self.seen = found

    def check_statements(self) -> None:
        """Each is what the ledger gives by the customer's own check, and what the report of its month says."""
        previous: dict[str, SignedStatement] = {}
        plans = {account.name: PlanVersions(()) for account in self.scenario.accounts}
        for (name, month), signed in self.seen.items():
            statement, before = signed.statement, previous.get(name)
            check_opening(statement, before, None if before is None else before.statement)
            with self.deployment.ledger.job_lines(name, month, month, voided=True) as lines:
                check_month(signed, statement, plans[name], lines, lambda _: None)
            plans[name].take(statement)
            totals = self.deployment.ledger.usage(name, month, month).totals
            assert (totals.jobs, totals.base_cost, totals.final_cost) == (
                statement.jobs.live,
                statement.report.totals.base_cost,
                statement.report.totals.final_cost,
            )
            previous[name] = signed


STEPS = (Play.close, Play.close, Play.close, Play.void, Play.change_plans, Play.wait, Play.reopen, Play.forget)


@for_all(st.data(), scenarios(most_jobs=12), share=0.1)
def test_statements_never_change_whatever_arrives(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    """Jobs late or not, voids, plans, closings, waiting and restarts, in any order; the reference knows all of them."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(signing_folder=f"{folder}/keys")
        with new_deployment(databases, scenario.now, settings) as deployment:
            deployment.set_up(scenario)
            play = Play(deployment, provider_of(scenario), scenario)
            for batch, _ in data.draw(batches(scenario.submissions)):
                expected = submit_all(play.provider, batch, deployment.now)
                assert outcome_of(deployment, batch) == expected
                for step in data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=4)):
                    step(play, data)
                    play.check_unchanged()
            play.check_statements()
            event(f"{min(len(play.seen), 6)} statements (6: or more)")
            check_reports(deployment, play.provider, replace(scenario, now=deployment.now))
