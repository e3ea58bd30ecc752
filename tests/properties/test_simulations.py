"""Random deployments and plans: a simulation is what the reference rates, before and after."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import strategies as st

from tallystick.model.plans import parse_plan
from tallystick.report import growth
from tests.databases import Databases
from tests.properties.playing import deployment_of, for_all, reference_of
from tests.reference.rater import ALWAYS, Provider
from tests.reference.strategies import Scenario, plan_documents, scenarios


@for_all(st.data(), scenarios(most_accounts=4, faults=False), plan_documents(), share=0.3)
def test_a_simulation_is_what_the_reference_rates_under_both(
    databases: Databases, data: st.DataObject, scenario: Scenario, new: dict[str, Any]
) -> None:
    months = sorted({month for account in scenario.accounts for month in scenario.months(account)})
    start, end = sorted(data.draw(st.tuples(st.sampled_from(months), st.sampled_from(months))))
    before, after = (reference_of(scenario, scenario.good_jobs) for _ in range(2))
    new |= {"name": data.draw(st.sampled_from(["new", *after.plans]))}
    after.plans[new["name"]] = {}
    after.put_plan(new)
    after.accounts = {name: replace(account, plans={ALWAYS: new["name"]}) for name, account in after.accounts.items()}
    with deployment_of(databases, scenario) as deployment, pytest.MonkeyPatch.context() as patch:
        # Histories are short here: let ranks be looked for among days too.
        patch.setattr(growth, "NEAR", data.draw(st.sampled_from([growth.NEAR, 1, 0])))
        (simulation,) = deployment.ledger.plans.simulate(parse_plan(new), start, end)
        kept = [deployment.ledger.usage(account.name, start, end).totals.final_cost for account in scenario.accounts]
        assert deployment.ledger.plans.simulate(parse_plan(new), start, end) == (simulation,)
    found = {account.account: account for account in simulation.accounts}
    assert set(found) == {account.name for account in scenario.accounts}
    for account, cost in zip(scenario.accounts, kept, strict=True):
        assert found[account.name].old == cost
        assert Fraction(found[account.name].old) == final_cost(before, account.name, start, end)
        assert Fraction(found[account.name].new) == final_cost(after, account.name, start, end)


def final_cost(provider: Provider, name: str, start: str, end: str) -> Fraction:
    rated = provider.rated_jobs(provider.accounts[name])
    return sum((job.final for job in rated if start <= job.month <= end), start=Fraction(0))
