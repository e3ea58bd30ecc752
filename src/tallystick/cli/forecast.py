"""``tallystick forecast``: what the current month comes to."""

from __future__ import annotations

import decimal
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tallystick.cli.doors import Server, choose, named_account, open_client, open_ledger
from tallystick.cli.options import Account, Json, OtherDatabase, TokenFile, Url, examples
from tallystick.cli.output import Column, console, count, figures, names, note, print_json, table
from tallystick.model.money import grouped, plain

if TYPE_CHECKING:
    from tallystick.model.forecast import Estimate, Forecast, Reached

EXAMPLES: Final = examples("tallystick forecast --account acme", "tallystick forecast --account acme --json")

_ENDS: Final = ("expected", "low", "high")
_ROUNDING: Final = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)


def forecast(
    account: Account = None,
    url: Url = None,
    token_file: TokenFile = None,
    database: OtherDatabase = None,
    as_json: Json = False,
) -> None:
    """Show what the current month comes to, and when what is reached.

    Four times in five, what comes lies between low and high. What is to come is rated as jobs are, at the ranks that
    follow; the table shows costs to the cent, --json as they were rated.
    """
    source = choose(url, token_file, database)
    if isinstance(source, Server):
        with open_client(source) as client:
            foreseen = client.usage.forecast(account=account)
    else:
        with open_ledger(source.database) as ledger:
            foreseen = ledger.forecast(named_account(account))
    if as_json:
        print_json(foreseen.to_dict())
    else:
        _print(foreseen)


def _print(foreseen: Forecast) -> None:
    screen = console()
    columns = [names(f"month {foreseen.month}"), *map(figures, ("so far", "expected", "low", "high"))]
    screen.print(table(columns, _rows(foreseen)))
    when = _when(foreseen)
    if when:
        screen.print()
        screen.print(table([names("reached"), *map(Column, ("expected", "earliest", "latest"))], when))
    if foreseen.too_little is not None:
        note(f"too little to tell: {foreseen.too_little}")
    for budget in foreseen.budgets:
        if budget.too_little not in {None, foreseen.too_little}:
            note(f"too little to tell of {budget.api_key}: {budget.too_little}")


def _rows(foreseen: Forecast) -> list[list[str]]:
    so_far, end = foreseen.so_far, foreseen.month_end
    unknown = ["—"] * len(_ENDS)
    rows = [["jobs", count(so_far.jobs), *(unknown if end is None else _counts(end.jobs))]]
    for meter, tokens in so_far.tokens.items():
        label = f"{meter.replace('_', ' ')} tokens"
        rows.append([label, count(tokens), *(unknown if end is None else _counts(end.tokens[meter]))])
    costs = unknown if end is None else [about(getattr(end.final_cost, name)) for name in _ENDS]
    rows.append([f"final cost ({foreseen.currency})", about(so_far.final_cost), *costs])
    return rows


def _counts(estimate: Estimate) -> list[str]:
    return [count(getattr(estimate, name)) for name in _ENDS]


def _when(foreseen: Forecast) -> list[list[str]]:
    rows = []
    if foreseen.free_jobs is not None:
        label = f"end of {count(foreseen.free_jobs.free_jobs)} free jobs"
        rows.append([label, *_days(foreseen.free_jobs, told=foreseen.too_little is None)])
    if foreseen.next_tier is not None:
        tier = foreseen.next_tier
        label = f"{plain(tier.discount)} % after {count(tier.after_jobs)} jobs"
        rows.append([label, *_days(tier, told=foreseen.too_little is None)])
    for budget in foreseen.budgets:
        label = f"budget of {grouped(budget.amount)}" + (f", {budget.api_key}" if budget.api_key else "")
        rows.append([label, *_days(budget, told=budget.too_little is None)])
    return rows


def _days(reached: Reached, *, told: bool) -> list[str]:
    if reached.reached:
        return [f"{reached.expected} (was)", "", ""]
    unknown = "not foreseen" if told else "—"
    return [day or unknown for day in (reached.expected, reached.earliest, reached.latest)]


def about(value: Decimal) -> str:
    """A cost to the cent, and below 1 to two digits that count, rounded half-even: a forecast knows no more."""
    if not value:
        return "0.00"
    places = 2 if abs(value) >= 1 else 1 - value.adjusted()
    return f"{_ROUNDING.quantize(value, Decimal(1).scaleb(-places)):,f}"
