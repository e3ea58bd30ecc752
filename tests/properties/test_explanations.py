"""Random deployments: the lines of an explanation are the reference's jobs, grouped and multiplied."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from tallystick.model.explanation import Explanation
from tests.databases import Databases
from tests.properties.playing import deployment_of, for_all, reference_of
from tests.reference.rater import Account, Document, Provider, RatedJob
from tests.reference.strategies import Scenario, scenarios

Group = tuple[str, str, int, bool]
"""A month, a key, a tier, and whether its jobs are free."""


@for_all(scenarios(faults=False), share=0.3)
def test_the_lines_are_the_references_jobs_by_key_month_meter_and_price(
    databases: Databases, scenario: Scenario
) -> None:
    provider = reference_of(scenario, scenario.good_jobs)
    with deployment_of(databases, scenario) as deployment:
        for described in scenario.accounts:
            months = scenario.months(described)
            explanation = deployment.ledger.explain(described.name, months[0], months[-1])
            report = deployment.ledger.usage(described.name, months[0], months[-1])
            account = provider.accounts[described.name]
            check_lines(explanation, provider, account)
            check_months(explanation, provider, account, months)
            for cost in ("base_cost", "final_cost"):
                lines = sum((Fraction(getattr(line, cost)) for line in explanation.lines), start=Fraction(0))
                assert lines == Fraction(getattr(explanation.totals, cost)) == Fraction(getattr(report.totals, cost))


def check_lines(explanation: Explanation, provider: Provider, account: Account) -> None:
    """Each line again from the jobs of the reference; none is missing and none too many."""
    groups: dict[Group, list[RatedJob]] = defaultdict(list)
    bands: dict[tuple[str, int, bool], list[int]] = defaultdict(list)
    for rated in provider.rated_jobs(account):
        groups[rated.month, rated.job.api_key, rated.tier, rated.free].append(rated)
        bands[rated.month, rated.tier, rated.free].append(rated.rank)
    seen = set()
    for line in explanation.lines:
        free = line.free_jobs > 0
        jobs = groups[line.month, line.api_key, line.tier, free]
        ranks = bands[line.month, line.tier, free]
        plan = provider.plan_in(account, line.month)
        assert (line.first_rank, line.last_rank) == (ranks[0], ranks[-1])
        assert (line.jobs, line.free_jobs) == (len(jobs), len(jobs) if free else 0)
        assert line.quantity == sum(rated.job.tokens.get(line.meter, 0) for rated in jobs)
        assert Fraction(line.price_per_unit) == (Fraction(0) if free else price(plan, line.meter))
        assert Fraction(line.discount) == jobs[0].discount
        assert Fraction(line.base_cost) == line.quantity * Fraction(line.price_per_unit)
        assert Fraction(line.final_cost) == Fraction(line.base_cost) * (1 - jobs[0].discount / 100)
        assert line.plan == plan["name"]
        seen.add((line.month, line.api_key, line.tier, free, line.meter))
    assert len(seen) == len(explanation.lines)
    used = {(*group, meter) for group, jobs in groups.items() for rated in jobs for meter in rated.job.tokens}
    assert used <= seen
    assert {group[:4] for group in seen} == set(groups)


def price(plan: Document, meter: str) -> Fraction:
    prices: dict[str, Fraction] = {entry["id"]: Fraction(entry["price"]) / entry["per"] for entry in plan["meters"]}
    return prices.get(meter, Fraction(0))


def check_months(explanation: Explanation, provider: Provider, account: Account, months: list[str]) -> None:
    ranked = [rated.month for rated in provider.rated_jobs(account)]
    documents = {(entry.plan, entry.plan_version): entry.document for entry in explanation.plans}
    assert [month.month for month in explanation.months] == months
    for month in explanation.months:
        assert month.jobs == ranked.count(month.month)
        assert month.jobs_before == sum(1 for other in ranked if other < month.month)
        plan = provider.plan_in(account, month.month)
        document = documents[month.plan, month.plan_version]
        assert (document["name"], document["free_jobs"]) == (plan["name"], plan["free_jobs"])
        assert [tier["after_jobs"] for tier in document["tiers"]] == [tier["after_jobs"] for tier in plan["tiers"]]
