"""Random deployments for the property tests: price plans, accounts, and jobs where it hurts.

A `Scenario` is plain data: it is played to the product by `tests/properties/playing.py` and to the reference
rater by `provider_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tests.reference.rater import (
    ALWAYS,
    Account,
    Document,
    Provider,
    day_start,
    instant,
    month_of,
    months_between,
    next_month,
)

STANDARD: Document = {
    "name": "standard",
    "currency": "USD",
    "free_jobs": 100,
    "meters": [
        {"id": "transcription", "report_as": "transcription_tokens", "price": "0.03", "per": 1000},
        {"id": "note_generation", "report_as": "note_tokens", "price": "0.02", "per": 1000},
    ],
    "tiers": [
        {"after_jobs": 0, "discount": "0"},
        {"after_jobs": 1000, "discount": "7"},
        {"after_jobs": 3000, "discount": "12"},
        {"after_jobs": 5000, "discount": "15"},
    ],
}
"""The default plan of the design, which every deployment has from the start."""

FIRST_MONTH = "1970-01"
"""From when a version replaces the default plan's own: of a plan that is there, each version needs its month."""

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Era:
    """A stretch of time, the zone whose clocks do something in it, and the days on whose edges jobs should lie."""

    zone: str
    days: tuple[date, ...]


# Each zone with the days around one of its peculiarities, and with the turn of a month.
ERAS = (
    Era("UTC", (date(2024, 12, 1), date(2025, 1, 1), date(2025, 2, 1))),
    Era("America/St_Johns", (date(2009, 10, 31), date(2009, 11, 1), date(2009, 11, 2), date(2009, 12, 1))),
    Era("America/St_Johns", (date(2010, 3, 1), date(2010, 3, 14), date(2010, 4, 1))),
    Era("Pacific/Chatham", (date(2024, 4, 1), date(2024, 4, 7), date(2024, 5, 1))),
    Era("Asia/Kolkata", (date(2024, 2, 29), date(2024, 3, 1), date(2024, 4, 1))),
    Era("Pacific/Apia", (date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31), date(2012, 1, 1))),
    Era("Asia/Beirut", (date(2024, 3, 1), date(2024, 3, 31), date(2024, 4, 1))),
    Era("Asia/Beirut", (date(2024, 10, 1), date(2024, 10, 27), date(2024, 11, 1))),
    Era("America/Sao_Paulo", (date(2018, 11, 1), date(2018, 11, 4), date(2018, 12, 1))),
    Era("America/Sao_Paulo", (date(2018, 2, 1), date(2018, 2, 18), date(2018, 3, 1))),
    Era("Australia/Lord_Howe", (date(2024, 4, 1), date(2024, 4, 7), date(2024, 10, 6), date(2024, 11, 1))),
    Era("America/New_York", (date(2024, 11, 1), date(2024, 11, 3), date(2024, 12, 1))),
    Era("Europe/London", (date(2024, 3, 31), date(2024, 4, 1), date(2024, 10, 27), date(2024, 11, 1))),
    Era("America/Asuncion", (date(2017, 9, 30), date(2017, 10, 1), date(2017, 11, 1))),
    Era("America/Havana", (date(2015, 10, 31), date(2015, 11, 1), date(2015, 11, 2), date(2015, 12, 1))),
    Era("Pacific/Kiritimati", (date(1994, 12, 1), date(1994, 12, 30), date(1995, 1, 1), date(1995, 1, 2))),
    Era("Africa/Monrovia", (date(1972, 1, 1), date(1972, 1, 7), date(1972, 2, 1))),
)

# In order of their bytes: U+FFFD and the private use area come before the supplementary planes, though in UTF-16
# they come behind; "é" differs from "e" with an accent behind it; trailing spaces and case count.
IDS = (
    "",
    " a",
    "10",
    "9",
    "A",
    "B",
    "a",
    "a ",
    "ab",
    "b",
    "e\u0301",
    "ß",
    "é",
    "\ue000",
    "\ufffd",
    "\U00010000",
    "😀",
)[1:]
NAMES = ("10", "9", "Z", "a", "a key", "key/2", "é", "ключ", "\ue000", "\U00010000")

# Ids that are also words of SQL or names that tables have use for.
METERS = ("transcription", "note_generation", "jobs", "day", "id", "order", "tokens", "key_id", "rank", "pages")

OFFSETS = st.sampled_from(
    [
        timedelta(),
        timedelta(hours=14),
        timedelta(hours=-11),
        timedelta(hours=5, minutes=45),
        -timedelta(hours=3, minutes=30),
    ]
)
DISTANCES = st.one_of(
    st.sampled_from([timedelta(), MICROSECOND, -MICROSECOND, 2 * MICROSECOND]),
    st.sampled_from([timedelta(seconds=1), timedelta(minutes=-30), timedelta(hours=1), timedelta(hours=-1)]),
    st.integers(-400, 400).map(lambda quarters: timedelta(minutes=15 * quarters)),
)
COUNTS = st.one_of(st.integers(0, 3), st.integers(0, 2000), st.sampled_from([10**9, 10**9 - 1]))


# Price plans.


def decimals(most: int, places: int) -> st.SearchStrategy[str]:
    """Decimals from 0 to `most`, written with all their places, with few or with none."""

    def written(pair: tuple[int, int]) -> str:
        units, shown = pair
        text = f"{units * 10 ** (places - shown)}".rjust(places + 1, "0")
        return f"{text[:-places]}.{text[-places:]}".rstrip("0").rstrip(".")

    return (
        st.integers(0, places)
        .flatmap(lambda shown: st.tuples(st.integers(0, most * 10**shown), st.just(shown)))
        .map(written)
    )


@st.composite
def meter_prices(draw: st.DrawFn, meter: str) -> dict[str, Any]:
    """A price that has a finite quotient: whole thirds where `per` has a factor of 3."""
    per = draw(st.sampled_from([1, 2, 8, 60, 256, 1000, 3600, 390625, 10**6]))
    thirds = 9 if per % 9 == 0 else 3 if per % 3 == 0 else 1
    picos = draw(st.one_of(st.integers(0, 10**6), st.integers(0, 10**13), st.just(10**10))) * thirds
    price = f"{picos // 10**12}.{picos % 10**12:012}"
    return {"id": meter, "report_as": _report_field(meter), "price": price, "per": per}


def _report_field(meter: str) -> str:
    fields = {"note_generation": "note_tokens", "pages": "pages", "rank": "ranks"}
    return fields.get(meter, f"{meter}_tokens")


@st.composite
def plan_documents(draw: st.DrawFn, name: str = "standard", most_jobs: int = 12) -> dict[str, Any]:
    """A plan whose tiers and free jobs lie low enough for few jobs to reach them, often at the same rank."""
    starts = [0, *sorted(draw(st.sets(st.one_of(st.just(1), st.integers(1, most_jobs)), max_size=5)))]
    free_jobs = draw(st.one_of(st.just(0), st.sampled_from(starts), st.integers(0, most_jobs)))
    meters = draw(st.lists(st.sampled_from(METERS), min_size=1, max_size=4, unique=True))
    discounts = st.one_of(st.sampled_from(["0", "7", "100", "33.3333"]), decimals(100, 4))
    resets = st.sampled_from([None, "never", "month", "month"])
    resetting = {name: reset for name in ("reset", "free_jobs_reset") if (reset := draw(resets)) is not None}
    return {
        "name": name,
        "currency": "USD",
        "free_jobs": free_jobs,
        **resetting,
        "meters": [draw(meter_prices(meter)) for meter in meters],
        "tiers": [{"after_jobs": start, "discount": draw(discounts)} for start in starts],
    }


# Jobs.


@st.composite
def times(draw: st.DrawFn, era: Era) -> datetime:
    """An instant on, next to or near the edge of one of the era's days."""
    edge = day_start(era.zone, draw(st.sampled_from(era.days)))
    return edge + draw(DISTANCES)


@st.composite
def written_times(draw: st.DrawFn, moment: datetime) -> str:
    """`moment` in RFC 3339: with any offset, and sometimes with digits finer than a microsecond, which are cut."""
    local = moment.astimezone(timezone(draw(OFFSETS)))
    text = local.isoformat(timespec="microseconds")
    finer = draw(st.sampled_from(["", "", "9999999", "0"]))
    text = text[:26] + finer + text[26:]
    if local.microsecond == 0 and not finer and draw(st.booleans()):
        text = text[:19] + text[26:]
    return text[:-6] + "Z" if text.endswith("+00:00") and draw(st.booleans()) else text


@dataclass(frozen=True)
class Kept:
    """What is constant while an account's jobs are drawn."""

    account: str
    era: Era
    sandbox_keys: frozenset[str]
    meters: tuple[str, ...]


@st.composite
def jobs(draw: st.DrawFn, kept: Kept, keys: tuple[str, ...]) -> dict[str, Any]:
    """A good job; its time and id are taken from so few that others will have the same."""
    key = draw(st.sampled_from(keys))
    job: dict[str, Any] = {
        "id": draw(st.sampled_from(IDS)) + draw(st.sampled_from(["", "", "1", "2"])),
        "account": kept.account,
        "api_key": key,
        "completed_at": draw(written_times(draw(times(kept.era)))),
        "tokens": draw(st.dictionaries(st.sampled_from(kept.meters), COUNTS, max_size=3)),
    }
    if key in kept.sandbox_keys or draw(st.booleans()):
        job["sandbox"] = key in kept.sandbox_keys
    return job


@st.composite
def account_jobs(draw: st.DrawFn, kept: Kept, most: int) -> list[dict[str, Any]]:
    """Good jobs of one account, no two with one id."""
    keys = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)))
    sandbox = frozenset(draw(st.sets(st.sampled_from(keys), max_size=1))) if len(keys) > 1 else frozenset()
    kept = Kept(kept.account, kept.era, sandbox, kept.meters)
    # Left to itself, hypothesis draws short lists; tiers need many jobs.
    least = draw(st.integers(0, most))
    return draw(st.lists(jobs(kept, keys), min_size=least, max_size=most, unique_by=lambda job: job["id"]))


@st.composite
def repeats(draw: st.DrawFn, job: dict[str, Any]) -> dict[str, Any]:
    """The same job, told in another way: 0 for a meter left out, or left out where it was 0, another offset."""
    tokens = {meter: count for meter, count in job["tokens"].items() if count or draw(st.booleans())}
    again = {**job, "tokens": {**({"transcription": 0} if draw(st.booleans()) else {}), **tokens}}
    again["completed_at"] = draw(st.sampled_from([job["completed_at"], _in_utc(job["completed_at"])]))
    return again


def _in_utc(text: str) -> str:
    return instant(text).isoformat().replace("+00:00", "Z")


@st.composite
def bad_jobs(draw: st.DrawFn, job: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A job that contradicts a good one or the deployment: it must change nothing."""
    far = (now + timedelta(minutes=5) + MICROSECOND).isoformat()
    changes: list[dict[str, Any]] = [
        {"tokens": {**job["tokens"], "transcription": job["tokens"].get("transcription", 0) % 10**9 + 1}},
        {"completed_at": "1999-12-31T23:59:59Z"},
        {"sandbox": not job.get("sandbox", False)},
        {"id": "bad", "tokens": {"unheard_of": 1}},
        {"id": "bad", "completed_at": far},
    ]
    return {**job, **draw(st.sampled_from(changes))}


# Deployments.


@dataclass(frozen=True)
class AccountSettings:
    """An account as it is created, and the plans that it is given later, by month."""

    name: str
    zone: str
    plans: tuple[tuple[str, str], ...] = ((ALWAYS, "standard"),)


@dataclass(frozen=True)
class Scenario:
    """A deployment, good jobs with different ids per account, and everything that is sent, faults included."""

    now: datetime
    plans: tuple[tuple[str, Document], ...]
    accounts: tuple[AccountSettings, ...]
    good_jobs: tuple[Document, ...]
    submissions: tuple[Document, ...]

    def months(self, account: AccountSettings) -> list[str]:
        """The months to ask for: all that may hold a good job of the account, one before and one behind.

        For an account without jobs, those of the others: far from them a report would have too many months.
        """
        own = [job for job in self.good_jobs if job["account"] == account.name]
        moments = [instant(job["completed_at"]) for job in own or self.good_jobs] or [self.now]
        first = previous_month(month_of(account.zone, min(moments)))
        last = next_month(month_of(account.zone, max(moments)))
        return months_between(first, last)


def previous_month(month: str) -> str:
    """The month before."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"


@st.composite
def scenarios(draw: st.DrawFn, *, most_accounts: int = 2, most_jobs: int = 14, faults: bool = True) -> Scenario:
    """A deployment with one to three plans, a few accounts in one era, and their jobs in an order of arrival.

    Plans have several versions, count for life or by month, and accounts change between them.
    """
    era = draw(st.sampled_from(ERAS))
    now = draw(st.sampled_from([datetime(2026, 1, 15, tzinfo=UTC), _end_of(era)]))
    plans = draw(plan_lists(era))
    names = sorted({"standard", *(document["name"] for _, document in plans)})
    accounts = tuple(
        AccountSettings(
            name,
            draw(st.sampled_from([era.zone, era.zone, *(other.zone for other in ERAS)])),
            draw(plan_histories(era, names)),
        )
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=most_accounts, unique=True))
    )
    documents = [STANDARD, *(document for _, document in plans)]
    meters = tuple({meter["id"]: None for document in documents for meter in document["meters"]})
    good: list[Document] = []
    for account in accounts:
        kept = Kept(account.name, era, frozenset(), meters)
        good += draw(account_jobs(kept, most_jobs))
    submissions = draw(arrivals(good, now)) if faults else good
    return Scenario(now, tuple(plans), accounts, tuple(good), tuple(submissions))


def _end_of(era: Era) -> datetime:
    return day_start(era.zone, era.days[-1]) + timedelta(days=5)


@st.composite
def plan_lists(draw: st.DrawFn, era: Era) -> list[tuple[str, Document]]:
    """Plans in the order in which they are put, each with the month from which it holds."""
    plans: list[tuple[str, Document]] = []
    for name in draw(st.sampled_from([["standard"], ["other"], ["standard", "other"]])):
        plans.append((FIRST_MONTH if name == "standard" else ALWAYS, draw(plan_documents(name))))
        months = draw(st.lists(st.sampled_from(_months_of(era)), max_size=2, unique=True))
        plans += [(month, draw(plan_documents(name))) for month in months]
    return plans


@st.composite
def plan_histories(draw: st.DrawFn, era: Era, names: list[str]) -> tuple[tuple[str, str], ...]:
    """The plan that an account has from the beginning, and those to which it changes, by month."""
    months = sorted(draw(st.sets(st.sampled_from(_months_of(era)), max_size=3)))
    return tuple((month, draw(st.sampled_from(names))) for month in [ALWAYS, *months])


def _months_of(era: Era) -> list[str]:
    return sorted({f"{day:%Y-%m}" for day in era.days})


@st.composite
def arrivals(draw: st.DrawFn, good: list[Document], now: datetime) -> list[Document]:
    """The good jobs in some order, with repeats and faults among them."""
    if not good:
        return []
    chosen = st.sampled_from(good).map(dict)
    again = draw(st.lists(chosen.flatmap(repeats), max_size=4))
    bad = draw(st.lists(chosen.flatmap(lambda job: bad_jobs(job, now)), max_size=4))
    return draw(st.permutations([*good, *again, *bad]))


def provider_of(scenario: Scenario) -> Provider:
    """The scenario's plans and accounts in the reference, before any job."""
    provider = Provider()
    provider.put_plan(STANDARD)
    for month, document in scenario.plans:
        provider.put_plan(document, month)
    for account in scenario.accounts:
        provider.accounts[account.name] = Account(account.zone, dict(account.plans))
    return provider
