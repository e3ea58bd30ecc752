"""Random deployments: what a budget has used is what the reference bills for the current month, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import strategies as st

from tests.databases import Databases
from tests.properties.playing import deployment_of, for_all, submit_all
from tests.reference import rater
from tests.reference.strategies import Scenario, provider_of, scenarios

AMOUNTS = st.decimals("0.000001", "1000", places=6)
THRESHOLDS = st.lists(st.integers(1, 1000), max_size=5)


@for_all(st.data(), scenarios(faults=False), share=0.2)
def test_what_a_budget_has_used_is_what_the_reference_bills(
    databases: Databases, data: st.DataObject, scenario: Scenario
) -> None:
    """Of each account and of every key of it, whatever the months' plans are."""
    provider = provider_of(scenario)
    submit_all(provider, scenario.good_jobs, scenario.now)
    with deployment_of(databases, scenario) as deployment:
        for name, account in provider.accounts.items():
            month = rater.month_of(account.zone, scenario.now)
            jobs = [rated for rated in provider.rated_jobs(account) if rated.month == month]
            costs: dict[str | None, Fraction] = {
                None: rater.sum_final(jobs),
                **{
                    key: rater.sum_final([rated for rated in jobs if rated.job.api_key == key])
                    for key, is_sandbox in account.key_is_sandbox.items()
                    if not is_sandbox
                },
            }
            for key in costs:
                amount, thresholds = data.draw(AMOUNTS), data.draw(THRESHOLDS)
                deployment.ledger.budgets.set(name, key, amount=amount, thresholds=thresholds)
            report = deployment.ledger.budgets.list(name)
            assert report.month == month
            assert {use.api_key: Fraction(use.cost) for use in report.budgets} == costs
            for use in report.budgets:
                assert use.left == max(Decimal(0), use.amount - use.cost)
                share = Fraction(use.cost) * 100 / Fraction(use.amount)
                assert use.thresholds_passed == tuple(percent for percent in use.thresholds if percent <= share)
                assert Fraction(use.used_percentage) == rater.half_even(share, 4)
