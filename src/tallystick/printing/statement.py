"""The page of a statement. It loads nothing, and its amounts are those of the signed bytes."""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from tallystick.model.explanation import ExplainedLine
from tallystick.model.money import grouped
from tallystick.model.report import Costs, KeyUsage
from tallystick.model.statement import SignedStatement, Statement

# Not Python's own names, which follow the locale of the process.
_MONTHS: Final = (
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_STYLE: Final = (resources.files("tallystick.printing") / "statement.css").read_text("utf-8").strip()
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The content security policy of the page: its own style, and nothing else from anywhere."""


def statement_page(signed: SignedStatement) -> str:
    """The statement as HTML, for people."""
    statement = signed.statement
    (plan,) = statement.plans
    return _template().render(
        style=_STYLE,
        statement=statement,
        signed=signed,
        month=_month_name(statement.month),
        plan=plan,
        due=_rounded(statement.rounded.final_cost, statement),
        base=_rounded(statement.rounded.base_cost, statement),
        savings=_rounded(statement.rounded.savings, statement),
        keys=[_key(name, key, statement) for name, key in statement.report.api_keys.items()],
        lines=[_line(line, statement) for line in statement.lines],
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tallystick.printing", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(count=lambda number: f"{number:,}", exact=grouped, time=_time)
    return environment.get_template("statement.html")


def _month_name(month: str) -> str:
    year, _, number = month.partition("-")
    return f"{_MONTHS[int(number)]} {year}"


def _time(instant: str) -> str:
    return instant.replace("T", " ").replace("Z", "")


def _rounded(amount: Decimal, statement: Statement) -> str:
    """An amount of the bill with all places of the minor unit: 1,204.30."""
    return f"{amount:,.{statement.rounded.places}f}"


def _key(name: str, key: KeyUsage, statement: Statement) -> dict[str, Any]:
    rounded: Costs = statement.rounded.api_keys[name]
    return {
        "name": name,
        "jobs": key.jobs,
        "tokens": [key.tokens[meter.id] for meter in statement.meters],
        "base": _rounded(rounded.base, statement),
        "savings": _rounded(rounded.savings, statement),
        "final": _rounded(rounded.final, statement),
        "exact": grouped(key.costs.final),
    }


def _line(line: ExplainedLine, statement: Statement) -> dict[str, Any]:
    return {
        "key": line.api_key,
        "meter": line.meter,
        "ranks": f"{line.first_rank:,} – {line.last_rank:,}",
        "jobs": line.jobs,
        "free": line.free_jobs > 0,
        "quantity": line.quantity,
        "price": grouped(line.price_per_unit),
        "discount": grouped(line.discount).removesuffix(".0"),
        "final": grouped(line.final_cost),
    }
