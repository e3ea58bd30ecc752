"""The examples of the API's description. The report is the contract's January, which a test compares."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

Example = dict[str, Any]

_NOTHING: Final = Decimal("0.0")
_CREATED_AT: Final = "2025-01-01T00:00:00Z"


def _tiers(first: int) -> dict[str, int]:
    return {"tier1": first, "tier2": 0, "tier3": 0, "tier4": 0}


def _costs(amount: str) -> Example:
    return {"base_cost": Decimal(amount), "final_cost": Decimal(amount), "savings": _NOTHING}


def _key_usage(jobs: int, transcription: int, note_generation: int, cost: str) -> Example:
    return {
        "jobs": jobs,
        "tokens": {"transcription": transcription, "note_generation": note_generation},
        "costs": {"base": Decimal(cost), "final": Decimal(cost), "savings": _NOTHING},
        "tiers": _tiers(jobs),
    }


_JANUARY: Final = {"jobs": 108, "transcription_tokens": 1672, "note_tokens": 2905, **_costs("0.07592")}
_PERIOD: Final = {"start_month": "2025-01", "end_month": "2025-01"}

USAGE_REPORT: Final[Example] = {
    "period": _PERIOD,
    "totals": {**_JANUARY, "effective_discount_percentage": _NOTHING, "free_jobs_left": 0},
    "monthly_breakdown": [
        {"month": "2025-01", **_JANUARY, "current_tier_discount": _NOTHING, "tiers": _tiers(108)},
    ],
    "api_keys": {
        "some api key": _key_usage(107, 1520, 2715, "0.06756"),
        "another api key": _key_usage(1, 152, 190, "0.00836"),
    },
}

DAILY_REPORT: Final[Example] = {
    "period": {"start": "2025-01-12", "end": "2025-01-12"},
    "days": [
        {
            "day": "2025-01-12",
            "jobs": 1,
            "transcription_tokens": 152,
            "note_tokens": 190,
            **_costs("0.00836"),
            "api_keys": {"another api key": _key_usage(1, 152, 190, "0.00836")},
        }
    ],
}

ACCOUNTS_REPORT: Final[Example] = {
    "period": _PERIOD,
    "totals": [{"currency": "USD", "accounts": 1, **_JANUARY}],
    "accounts": [{"account": "acme", "currency": "USD", **_JANUARY}],
    "next_cursor": None,
}

BUDGET_REQUEST: Final[Example] = {"amount": "250.00", "thresholds": [50, 80, 100]}
BUDGET_USE: Final[Example] = {
    "api_key": None,
    "amount": Decimal("250.0"),
    "thresholds": [50, 80, 100],
    "cost": Decimal("203.11"),
    "left": Decimal("46.89"),
    "used_percentage": Decimal("81.244"),
    "thresholds_passed": [50, 80],
}
BUDGET_REPORT: Final[Example] = {"month": "2025-01", "budgets": [BUDGET_USE]}

_DAYS: Final = {"expected": "2025-01-23", "earliest": "2025-01-22", "latest": "2025-01-25"}
_MONTH_END_COST: Final = {"expected": Decimal("287.4"), "low": Decimal("262.08"), "high": Decimal("315.9")}
FORECAST: Final[Example] = {
    "month": "2025-01",
    "today": "2025-01-20",
    "interval_percentage": 80,
    "so_far": {
        "jobs": 820,
        "tokens": {"transcription": 5_300_000, "note_generation": 2_600_000},
        "final_cost": Decimal("203.11"),
    },
    "month_end": {
        "jobs": {"expected": 1190, "low": 1105, "high": 1284},
        "tokens": {
            "transcription": {"expected": 7_600_000, "low": 6_900_000, "high": 8_400_000},
            "note_generation": {"expected": 3_700_000, "low": 3_300_000, "high": 4_100_000},
        },
        "final_cost": _MONTH_END_COST,
    },
    "too_little": None,
    "free_jobs": {
        "reached": True,
        **dict.fromkeys(_DAYS, "2025-01-04"),
        "free_jobs": 100,
        "left": 0,
    },
    "next_tier": {
        "reached": False,
        **_DAYS,
        "tier": 2,
        "after_jobs": 1000,
        "discount": Decimal("7.0"),
        "jobs_left": 180,
    },
    "budgets": [
        {
            "reached": False,
            **_DAYS,
            "api_key": None,
            "amount": Decimal("250.0"),
            "cost": Decimal("203.11"),
            "month_end_cost": _MONTH_END_COST,
            "too_little": None,
        }
    ],
}

JOBS: Final = [
    {
        "id": "job_0001",
        "account": "acme",
        "api_key": "some api key",
        "completed_at": "2025-01-11T20:12:01Z",
        "tokens": {"transcription": 5, "note_generation": 10},
    },
    {
        "id": "job_0002",
        "account": "acme",
        "api_key": "a key for trying things out",
        "completed_at": "2025-01-11T21:19:01+01:00",
        "tokens": {"transcription": 5},
        "sandbox": True,
    },
]

JOB_LINES: Final = (
    '{"id":"job_0001","account":"acme","api_key":"some api key","completed_at":"2025-01-11T20:12:01Z",'
    '"tokens":{"transcription":5,"note_generation":10}}\n'
    '{"id":"job_0002","account":"acme","api_key":"some api key","completed_at":"2025-01-11T20:19:01Z",'
    '"tokens":{"transcription":5,"note_generation":10}}\n'
)

INGEST_RESULT: Final[Example] = {
    "accepted": 1,
    "duplicates": 0,
    "rejected": [
        {
            "index": 1,
            "id": "job_0002",
            "code": "unknown_meter",
            "detail": "tokens.summaries is not a meter here; known are transcription, note_generation",
        }
    ],
}

LEDGER_PAGE: Final[Example] = {
    "jobs": [
        {
            "rank": 108,
            "id": "job_0108",
            "api_key": "another api key",
            "completed_at": "2025-01-12T08:00:00Z",
            "booked_at": "2025-01-12T08:00:00Z",
            "late": False,
            "tokens": {"transcription": 152, "note_generation": 190},
            "tier": 1,
            "free": False,
            "discount": _NOTHING,
            "base_cost": Decimal("0.00836"),
            "final_cost": Decimal("0.00836"),
        }
    ],
    "next_cursor": None,
}

VOIDING: Final[Example] = {"reason": "reported twice, under two ids"}
VOIDED_JOB: Final[Example] = {
    "id": "job_0108",
    "api_key": "another api key",
    "completed_at": "2025-01-12T08:00:00Z",
    "booked_at": "2025-01-12T08:00:00Z",
    "late": False,
    "tokens": {"transcription": 152, "note_generation": 190},
    "voided_at": "2025-01-13T09:30:00Z",
    "void_reason": "reported twice, under two ids",
}

_STANDARD: Final = {"plan": "standard", "plan_version": None}


def _line(meter: str, quantity: int, price: str, cost: str) -> Example:
    return {
        "month": "2025-01",
        "api_key": "another api key",
        "meter": meter,
        "tier": 1,
        "first_rank": 101,
        "last_rank": 108,
        "jobs": 1,
        "free_jobs": 0,
        "quantity": quantity,
        "price_per_unit": Decimal(price),
        "discount": _NOTHING,
        "base_cost": Decimal(cost),
        "final_cost": Decimal(cost),
        **_STANDARD,
    }


LEDGER_LINES: Final = (
    '{"rank":108,"id":"job_0108","api_key":"another api key","completed_at":"2025-01-12T08:00:00Z",'
    '"booked_at":"2025-01-12T08:00:00Z","late":false,"tokens":{"transcription":152,"note_generation":190},"tier":1,'
    '"free":false,"discount":0.0,"base_cost":0.00836,"final_cost":0.00836}\n'
)

LEDGER_CSV: Final = (
    "rank,id,api_key,completed_at,booked_at,late,transcription_tokens,note_generation_tokens,tier,free,discount,"
    "base_cost,final_cost\r\n"
    "108,job_0108,another api key,2025-01-12T08:00:00Z,2025-01-12T08:00:00Z,false,152,190,1,false,0.0,0.00836,0.00836"
    "\r\n"
)

USAGE_CSV: Final = (
    "month,api_key,jobs,transcription_tokens,note_generation_tokens,base_cost,savings,final_cost,currency\r\n"
    "2025-01,some api key,107,1520,2715,0.06756,0.0,0.06756,USD\r\n"
    "2025-01,another api key,1,152,190,0.00836,0.0,0.00836,USD\r\n"
)

NEW_ACCOUNT: Final[Example] = {"name": "acme", "time_zone": "Europe/Zurich"}
ACCOUNT_CHANGE: Final[Example] = {"plan": "standard", "plan_from": "2025-02"}
ACCOUNT: Final[Example] = {
    "name": "acme",
    "time_zone": "Europe/Zurich",
    "plan": "standard",
    "currency": "USD",
    "created_at": _CREATED_AT,
    "plans": [{"plan": "trial", "plan_from": None}, {"plan": "standard", "plan_from": "2025-02"}],
}
ACCOUNT_PAGE: Final[Example] = {"accounts": [ACCOUNT], "next_cursor": None}

NEW_KEY: Final[Example] = {"name": "some api key", "kind": "live"}
KEY_CHANGE: Final[Example] = {"revoked": True}
API_KEY: Final[Example] = {
    "account": "acme",
    "name": "some api key",
    "kind": "live",
    "created_at": _CREATED_AT,
    "revoked_at": None,
}
REVOKED_KEY: Final[Example] = {**API_KEY, "revoked_at": "2025-02-01T09:30:00Z"}
KEY_LIST: Final[Example] = {"keys": [API_KEY]}

TOKEN_REQUEST: Final[Example] = {"scope": "usage", "account": "acme", "label": "accounting at Acme"}
ROTATION: Final[Example] = {"overlap_seconds": 3600}
TOKEN: Final[Example] = {
    "id": "1",
    "scope": "usage",
    "label": "accounting at Acme",
    "account": "acme",
    "created_at": _CREATED_AT,
    "expires_at": None,
    "revoked_at": None,
}
TOKEN_LIST: Final[Example] = {"tokens": [TOKEN]}
NEW_TOKEN: Final[Example] = {"token": "tally_…", **TOKEN}
"""Not a token's form: it would be struck out wherever it is shown, and secret scanners would find it."""

PLAN_DOCUMENT: Final[Example] = {
    "name": "standard",
    "currency": "USD",
    "free_jobs": 100,
    "free_jobs_reset": "never",
    "reset": "never",
    "meters": [
        {"id": "transcription", "report_as": "transcription_tokens", "price": "0.03", "per": 1000},
        {"id": "note_generation", "report_as": "note_tokens", "price": "0.02", "per": 1000},
    ],
    "tiers": [
        {"after_jobs": 0, "discount": "0.0"},
        {"after_jobs": 1000, "discount": "7.0"},
        {"after_jobs": 3000, "discount": "12.0"},
        {"after_jobs": 5000, "discount": "15.0"},
    ],
}
EXPLANATION: Final[Example] = {
    "period": _PERIOD,
    "currency": "USD",
    "totals": _costs("0.00836"),
    "months": [{"month": "2025-01", "jobs_before": 0, "jobs": 108, **_STANDARD}],
    "lines": [
        _line("transcription", 152, "0.00003", "0.00456"),
        _line("note_generation", 190, "0.00002", "0.0038"),
    ],
    "plans": [{**_STANDARD, "document": PLAN_DOCUMENT}],
}
_SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_SIGNED: Final = {
    "signed_by": "7e44e762404f10b90dec97b2f04444cb",
    "signature": "He20Sbhao+rGZoTVhvE/7bLBZXKEgwVa7NeD0LrdxfUbuFbsrQX66eQngNDDtvzCM+A91oorUcfLXZEtVCOFCQ==",
}
_ROUNDED: Final = {"base": Decimal("0.07"), "final": Decimal("0.07"), "savings": _NOTHING}
_ROUNDED_LESS: Final = {"base": Decimal("0.01"), "final": Decimal("0.01"), "savings": _NOTHING}
STATEMENT: Final[Example] = {
    "form": "tallystick-statement/1",
    "account": "acme",
    "month": "2025-01",
    "time_zone": "Europe/Zurich",
    "starts_at": "2024-12-31T23:00:00Z",
    "ends_at": "2025-01-31T23:00:00Z",
    "currency": "USD",
    "previous": None,
    "live_jobs": {"before": 0, "after": 108},
    "jobs": {"live": 108, "late": 0, "voided": 0, "sha256": _SHA256},
    "meters": [
        {"id": "transcription", "report_as": "transcription_tokens"},
        {"id": "note_generation", "report_as": "note_tokens"},
    ],
    "plans": [{**_STANDARD, "document": PLAN_DOCUMENT}],
    "report": USAGE_REPORT,
    "lines": EXPLANATION["lines"],
    "rounded": {
        "mode": "half-even",
        "places": 2,
        "base_cost": Decimal("0.08"),
        "final_cost": Decimal("0.08"),
        "savings": _NOTHING,
        "api_keys": {"some api key": _ROUNDED, "another api key": _ROUNDED_LESS},
    },
}
STATEMENT_LIST: Final[Example] = {
    "statements": [
        {
            "month": "2025-01",
            "currency": "USD",
            "jobs": 108,
            "late": 0,
            "voided": 0,
            "final_cost": Decimal("0.08"),
            "closed_at": "2025-02-03T02:00:00Z",
            "sha256": _SHA256,
            "previous_sha256": None,
            **_SIGNED,
        }
    ]
}
SIGNING_KEY_LIST: Final[Example] = {
    "signing_keys": [
        {
            "id": "7e44e762404f10b90dec97b2f04444cb",
            "algorithm": "Ed25519",
            "public_key": "dBQxdSP1U2wdheJQMj+nSVDaZOLsOnvvQ+Ie/Nl9HkE=",
            "created_at": "2025-02-03T02:00:00Z",
            "signed_by": None,
            "signature": None,
        }
    ]
}

PLAN_INFO: Final[Example] = {
    "name": "standard",
    "currency": "USD",
    "versions": [{"effective_from": None, "plan": PLAN_DOCUMENT}],
}
PLAN_LIST: Final[Example] = {"plans": [PLAN_INFO]}
SIMULATION: Final[Example] = {
    "from": "2025-01",
    "to": "2025-12",
    "currency": "USD",
    "old_total": Decimal("120.5"),
    "new_total": Decimal("118.25"),
    "difference": Decimal("-2.25"),
    "accounts": [
        {
            "account": "acme",
            "old": Decimal("100.5"),
            "new": Decimal("97.25"),
            "difference": Decimal("-3.25"),
        },
        {"account": "globex", "old": Decimal("20.0"), "new": Decimal("21.0"), "difference": Decimal("1.0")},
    ],
}
PLAN_TOML: Final = """\
name = "standard"
currency = "USD"
free_jobs = 100

[[meters]]
id = "transcription"
price = "0.03"
per = 1000

[[tiers]]
after_jobs = 0
discount = "0"
"""

QUARANTINE_PAGE: Final[Example] = {
    "items": [
        {
            "id": 1,
            "code": "unknown_meter",
            "detail": "tokens.summaries is not a meter here; known are transcription, note_generation",
            "item": '{"id":"job_0002","account":"acme","api_key":"some api key",'
            '"completed_at":"2025-01-11T20:19:01Z","tokens":{"summaries":5}}',
            "first_seen_at": "2025-01-11T20:19:02Z",
            "last_seen_at": "2025-01-11T20:20:02Z",
            "times": 2,
        }
    ],
    "total": 1,
    "dropped": 0,
    "next_cursor": None,
}
REPLAY_REQUEST: Final[Example] = {"ids": [1]}
REPLAY_RESULT: Final[Example] = {"replayed": 1, "remaining": 0}

NOTICE_PAGE: Final[Example] = {
    "notices": [
        {
            "id": "ntc_9f3c1a5be07d4c2f8a6b0d1e2f3a4b5c",
            "account": "acme",
            "event": "free_jobs.low",
            "said_at": "2025-01-12T06:35:02Z",
            "data": {"account": "acme", "free_jobs": 100, "free_jobs_left": 10, "jobs": 90},
        }
    ],
    "next_cursor": None,
}

NEW_WEBHOOK: Final[Example] = {
    "url": "https://billing.acme.example/hooks/tallystick",
    "events": ["free_jobs.exhausted", "tier.reached"],
    "description": "accounting at Acme",
}
WEBHOOK_CHANGE: Final[Example] = {"events": [], "on": True}
WEBHOOK_ROTATION: Final[Example] = {"overlap_seconds": 3600}
MISSED_REPLAY: Final[Example] = {"since": "2025-01-12T00:00:00Z"}
ENDPOINT: Final[Example] = {
    "id": "whe_51c0a7e2b94d3f68",
    "account": "acme",
    **NEW_WEBHOOK,
    "created_at": _CREATED_AT,
    "failing_since": None,
    "off_since": None,
    "off_reason": None,
    "old_secret_until": None,
}
ENDPOINT_LIST: Final[Example] = {"webhooks": [ENDPOINT]}
NEW_ENDPOINT: Final[Example] = {"secret": "whsec_…", **ENDPOINT}
DELIVERY: Final[Example] = {
    "notice": "ntc_9f3c1a5be07d4c2f8a6b0d1e2f3a4b5c",
    "event": "tier.reached",
    "account": "acme",
    "state": "waiting",
    "created_at": "2025-01-12T06:35:02Z",
    "attempts": 1,
    "last_status": 503,
    "last_milliseconds": 87,
    "next_attempt_at": "2025-01-12T06:35:08.217Z",
}
_NO_ATTEMPT: Final[Example] = {"last_status": None, "last_milliseconds": None}
TEST_DELIVERY: Final[Example] = {**DELIVERY, "event": "webhook.test", "attempts": 0, **_NO_ATTEMPT}
DELIVERY_PAGE: Final[Example] = {"deliveries": [DELIVERY], "next_cursor": None}
DELIVERY_LOG: Final[Example] = {
    "delivery": DELIVERY,
    "headers": {
        "content-type": "application/json",
        "user-agent": "tallystick-webhooks/1.0.0",
        "webhook-id": "ntc_9f3c1a5be07d4c2f8a6b0d1e2f3a4b5c",
    },
    "body": '{"type":"tier.reached","timestamp":"2025-01-12T06:35:02Z","data":{"account":"acme","tier":2,'
    '"after_jobs":1000,"discount":7.0,"jobs":1004}}',
    "attempts": [
        {
            "number": 1,
            "at": "2025-01-12T06:35:02.114Z",
            "url": "https://billing.acme.example/hooks/tallystick",
            "status": 503,
            "milliseconds": 87,
            "error": "not a status of success",
        }
    ],
}
REPLAYED: Final[Example] = {"replayed": 3}

STATUS: Final[Example] = {"status": "ok"}

PROBLEM: Final[Example] = {
    "type": "about:blank",
    "title": "Bad Request",
    "status": 400,
    "code": "invalid_month",
    "detail": "start_month: must be a month of the form YYYY-MM",
    "request_id": "5f1c09a2b7d3e48f60a1c2d3",
    "errors": [{"detail": "must be a month of the form YYYY-MM", "parameter": "start_month"}],
}
