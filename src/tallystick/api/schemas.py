"""The components of the API's description.

What is a struct on our side is described from it; shapes whose members depend on the deployment's meters, and
those with money, are written here. Money is a JSON number of exact digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tallystick.api.accounts import AccountChange, KeyChange, NewAccount, NewKey
from tallystick.api.budgets import BudgetRequest
from tallystick.api.calls import Schema, ref
from tallystick.api.jobs import Voiding
from tallystick.api.problems import Problem
from tallystick.api.quarantine import ReplayRequest
from tallystick.api.tokens import Rotation, TokenRequest
from tallystick.api.webhooks import MissedReplay, NewWebhook, WebhookChange, WebhookRotation
from tallystick.model.accounts import Account, ApiKey, PlanInfo, QuarantinePage, ReplayResult, TokenInfo
from tallystick.model.budgets import DEFAULT_THRESHOLDS, MAX_AMOUNT, MAX_THRESHOLD, MAX_THRESHOLDS
from tallystick.model.jobs import MAX_TOKENS, IngestResult, VoidedJob
from tallystick.model.names import ID_BYTES, NAME_CHARACTERS
from tallystick.model.notices import NoticePage
from tallystick.model.rounding import MODE
from tallystick.model.signatures import ALGORITHM
from tallystick.model.statement import FORM
from tallystick.model.webhooks import Delivery, DeliveryLog, DeliveryPage, Endpoint, Replayed
from tallystick.settings import Settings

_REF: Final = "#/components/schemas/{name}"
_TAKEN: Final = (
    NewAccount,
    AccountChange,
    NewKey,
    KeyChange,
    TokenRequest,
    Rotation,
    ReplayRequest,
    BudgetRequest,
    Voiding,
    NewWebhook,
    WebhookChange,
    WebhookRotation,
    MissedReplay,
)
_GIVEN: Final = (
    Account,
    ApiKey,
    TokenInfo,
    PlanInfo,
    QuarantinePage,
    ReplayResult,
    IngestResult,
    NoticePage,
    VoidedJob,
    Endpoint,
    Delivery,
    DeliveryPage,
    DeliveryLog,
    Replayed,
)

_TEXT: Final[Schema] = {"type": "string"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_MONEY: Final[Schema] = {"type": "number", "minimum": 0, "description": "Exact decimal; read its digits, not a float."}
_PERCENT: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 100}
_MONTH: Final[Schema] = {"type": "string", "pattern": r"^\d{4}-\d{2}$"}
_DAY: Final[Schema] = {"type": "string", "format": "date"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_CURSOR: Final[Schema] = {"type": ["string", "null"], "description": "Leads to the next page; null at the end."}
_TIERS: Final[Schema] = {
    "type": "object",
    "additionalProperties": _COUNT,
    "description": "Jobs by tier, tier1 to the last tier of the plan.",
}
_TOKENS: Final[Schema] = {"type": "object", "additionalProperties": _COUNT, "description": "Tokens by meter."}
_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}


def components(settings: Settings) -> dict[str, Schema]:
    """Every schema that the document refers to, by name."""
    return {
        **_structs(),
        **_reports(),
        **_explanation(),
        **_simulation(),
        **_statements(),
        **_jobs(settings),
        **_plans(),
        **_budgets(),
        **_forecasts(),
        "KeyList": _object({"keys": _list(ref("ApiKey"))}),
        "PlanList": _object({"plans": _list(ref("PlanInfo"))}),
        "TokenList": _object({"tokens": _list(ref("TokenInfo"))}),
        "AccountPage": _object({"accounts": _list(ref("Account")), "next_cursor": _CURSOR}),
        "NewToken": {
            "allOf": [ref("TokenInfo"), _object({"token": {**_TEXT, "description": "The secret, shown this once."}})],
            "description": "A token just made.",
        },
        "EndpointList": _object({"webhooks": _list(ref("Endpoint"))}),
        "NewEndpoint": {
            "allOf": [ref("Endpoint"), _object({"secret": {**_TEXT, "description": "What signs, shown this once."}})],
            "description": "An endpoint with a secret just made.",
        },
        "Status": _object({"status": {"type": "string", "const": "ok"}}),
        "OpenAPI": {"type": "object", "description": "An OpenAPI document.", "required": ["openapi", "info", "paths"]},
    }


def _object(properties: Mapping[str, Schema], *, description: str = "", more: Schema | None = None) -> Schema:
    """An object in which every property always stands; `more` describes the members beside them."""
    schema: Schema = {"type": "object", "required": list(properties), "properties": dict(properties)}
    if description:
        schema["description"] = description
    if more is not None:
        schema["additionalProperties"] = more
    return schema


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _structs() -> dict[str, Schema]:
    _, taken = msgspec.json.schema_components(_TAKEN, ref_template=_REF)
    _, given = msgspec.json.schema_components(_GIVEN, ref_template=_REF)
    _, problems = msgspec.json.schema_components([Problem], ref_template=_REF)
    problems["Problem"]["required"] = list(problems["Problem"]["properties"])
    for schema in given.values():
        # Answers hold every member, whatever default the struct has for it.
        if schema.get("type") == "object":
            schema["required"] = list(schema["properties"])
    taken["BudgetRequest"]["properties"] |= _budget_members()
    given["PlanVersionInfo"]["properties"]["plan"] = ref("PlanDocument")
    return {name: _readable(schema) for name, schema in {**given, **taken, **problems}.items()}


def _readable(schema: Schema) -> Schema:
    description = schema.get("description")
    return {**schema, "description": description.replace("``", "`")} if description else schema


def _reports() -> dict[str, Schema]:
    sums = {"jobs": _COUNT, "base_cost": _MONEY, "final_cost": _MONEY, "savings": _MONEY}
    period = _object({"start_month": _MONTH, "end_month": _MONTH})
    by_key = {"type": "object", "additionalProperties": ref("KeyUsage"), "description": "By name, most jobs first."}
    totals = {**sums, "effective_discount_percentage": _PERCENT, "free_jobs_left": _COUNT}
    month = {"month": _MONTH, **sums, "current_tier_discount": _PERCENT, "tiers": _TIERS}
    day = {"day": _DAY, **sums, "api_keys": by_key}
    of_account = {"account": _TEXT, "currency": _TEXT, **sums}
    of_currency = {"currency": _TEXT, "accounts": _COUNT, **sums}
    costs = _object({"base": _MONEY, "final": _MONEY, "savings": _MONEY})
    metered = "Every further member is the sum of a meter's tokens, named as the plan's `report_as` says."
    return {
        "UsageReport": _object(
            {
                "period": period,
                "totals": _object(totals, description=metered, more=_COUNT),
                "monthly_breakdown": _list(ref("MonthUsage")),
                "api_keys": by_key,
            },
            description="Months sum to totals, keys sum to totals, tiers sum to jobs, all exactly.",
        ),
        "MonthUsage": _object(month, description=metered, more=_COUNT),
        "KeyUsage": _object({"jobs": _COUNT, "tokens": _TOKENS, "costs": costs, "tiers": _TIERS}),
        "DailyReport": _object({"period": _object({"start": _DAY, "end": _DAY}), "days": _list(ref("DayUsage"))}),
        "DayUsage": _object(day, description=metered, more=_COUNT),
        "AccountsReport": _object(
            {
                "period": period,
                "totals": _list(_object(of_currency, description=metered, more=_COUNT)),
                "accounts": _list(_object(of_account, description=metered, more=_COUNT)),
                "next_cursor": _CURSOR,
            }
        ),
    }


def _explanation() -> dict[str, Schema]:
    rank: Schema = {"type": "integer", "minimum": 1}
    version: Schema = {"type": ["string", "null"], "description": "Holds from this month; null: from the beginning."}
    line = {
        "month": _MONTH,
        "api_key": _TEXT,
        "meter": _TEXT,
        "tier": rank,
        "first_rank": rank,
        "last_rank": rank,
        "jobs": {"type": "integer", "minimum": 1},
        "free_jobs": _COUNT,
        "quantity": _COUNT,
        "price_per_unit": _MONEY,
        "discount": _PERCENT,
        "base_cost": _MONEY,
        "final_cost": _MONEY,
        "plan": _TEXT,
        "plan_version": version,
    }
    month = {"month": _MONTH, "jobs_before": _COUNT, "jobs": _COUNT, "plan": _TEXT, "plan_version": version}
    plan = {"plan": _TEXT, "plan_version": version, "document": ref("PlanDocument")}
    return {
        "ExplainedPlan": _object(plan, description="A plan version that priced a month, whole."),
        "ExplainedLine": _object(
            line,
            description="What a key used of a meter in a month at one price. quantity * price_per_unit is base_cost, "
            "and base_cost * (1 - discount / 100) is final_cost. Its jobs are the key's among the ranks that it names.",
        ),
        "Explanation": _object(
            {
                "period": _object({"start_month": _MONTH, "end_month": _MONTH}),
                "currency": _TEXT,
                "totals": _object({"base_cost": _MONEY, "final_cost": _MONEY, "savings": _MONEY}),
                "months": _list(_object(month)),
                "lines": _list(ref("ExplainedLine")),
                "plans": _list(ref("ExplainedPlan")),
            },
            description="The lines sum to the totals, which are those of the report for the same months.",
        ),
    }


def _statements() -> dict[str, Schema]:
    digest: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    amount: Schema = {"type": "number"}
    rounded = _object({"base": amount, "final": amount, "savings": amount})
    previous = _object({"month": _MONTH, "sha256": digest})
    info = {
        "month": _MONTH,
        "currency": _TEXT,
        "jobs": _COUNT,
        "late": _COUNT,
        "voided": _COUNT,
        "final_cost": _MONEY,
        "closed_at": _TIME,
        "sha256": digest,
        "previous_sha256": {**digest, "type": ["string", "null"]},
        "signed_by": _TEXT,
        "signature": {**_TEXT, "description": "Ed25519, of the statement's bytes, in base64."},
    }
    statement = {
        "form": {"type": "string", "const": FORM},
        "account": _NAME,
        "month": _MONTH,
        "time_zone": _TEXT,
        "starts_at": _TIME,
        "ends_at": {**_TIME, "description": "The first instant behind the month."},
        "currency": _TEXT,
        "previous": {**previous, "type": ["object", "null"], "description": "Null for the first statement."},
        "live_jobs": _object({"before": _COUNT, "after": _COUNT}),
        "jobs": _object({"live": _COUNT, "late": _COUNT, "voided": _COUNT, "sha256": digest}),
        "meters": _list(_object({"id": _TEXT, "report_as": _TEXT})),
        "plans": _list(ref("ExplainedPlan")),
        "report": ref("UsageReport"),
        "lines": _list(ref("ExplainedLine")),
        "rounded": _object(
            {
                "mode": {"type": "string", "const": MODE},
                "places": _COUNT,
                "base_cost": amount,
                "final_cost": amount,
                "savings": amount,
                "api_keys": {"type": "object", "additionalProperties": rounded},
            }
        ),
    }
    key = {
        "id": _TEXT,
        "algorithm": {"type": "string", "const": ALGORITHM},
        "public_key": _TEXT,
        "created_at": _TIME,
        "signed_by": {"type": ["string", "null"]},
        "signature": {"type": ["string", "null"]},
    }
    return {
        "Statement": _object(statement, description="The bill of a closed month, and all that it takes to check it."),
        "StatementList": _object({"statements": _list(_object(info))}),
        "SigningKeyList": _object({"signing_keys": _list(_object(key))}),
    }


def _simulation() -> dict[str, Schema]:
    signed: Schema = {"type": "number", "description": "Exact decimal; negative where the new plan costs less."}
    account = {"account": _TEXT, "old": _MONEY, "new": _MONEY, "difference": signed}
    return {
        "Simulation": _object(
            {
                "from": _MONTH,
                "to": _MONTH,
                "currency": _TEXT,
                "old_total": _MONEY,
                "new_total": _MONEY,
                "difference": signed,
                "accounts": _list(_object(account)),
            },
            description="Accounts sum to the totals exactly; those that change most come first.",
        ),
    }


def _jobs(settings: Settings) -> dict[str, Schema]:
    count = {"type": "integer", "minimum": 0, "maximum": MAX_TOKENS}
    job = _object(
        {
            "id": {"type": "string", "minLength": 1, "maxLength": ID_BYTES, "description": "Makes a repeat harmless."},
            "account": _NAME,
            "api_key": {**_NAME, "description": "The name of the API key."},
            "completed_at": {**_TIME, "description": "RFC 3339, with an offset."},
            "tokens": {"type": "object", "additionalProperties": count, "description": "By meter; one left out is 0."},
        },
        description="One finished unit of work.",
    )
    job["properties"]["sandbox"] = {"type": "boolean", "default": False, "description": "Kept and never rated."}
    job["additionalProperties"] = False
    ledger_job = {
        "rank": {"type": "integer", "minimum": 1},
        "id": _TEXT,
        "api_key": _TEXT,
        "completed_at": _TIME,
        "booked_at": _TIME,
        "late": {"type": "boolean", "description": "It came after its month was closed; booked_at is later."},
        "tokens": _TOKENS,
        "tier": {"type": "integer", "minimum": 1},
        "free": {"type": "boolean"},
        "discount": _PERCENT,
        "base_cost": _MONEY,
        "final_cost": _MONEY,
    }
    return {
        "Job": job,
        "JobList": {"type": "array", "items": ref("Job"), "maxItems": settings.max_jobs},
        "LedgerJob": _object(ledger_job),
        "LedgerPage": _object({"jobs": _list(ref("LedgerJob")), "next_cursor": _CURSOR}),
    }


def _plans() -> dict[str, Schema]:
    decimal = {"type": "string", "pattern": r"^\d+(\.\d+)?$", "description": "A decimal, in quotes."}
    meter: dict[str, Any] = _object({"id": _TEXT, "price": decimal})
    meter["properties"] |= {"report_as": _TEXT, "per": {"type": "integer", "minimum": 1, "default": 1}}
    reset: Schema = {"type": "string", "enum": ["never", "month"], "default": "never"}
    plan = _object({"currency": {"type": "string", "pattern": "^[A-Z]{3}$"}, "meters": _list(meter)})
    plan["properties"] |= {
        "name": _NAME,
        "free_jobs": {**_COUNT, "default": 0},
        "free_jobs_reset": {**reset, "description": "Whether the free jobs are given once, or each month anew."},
        "reset": {**reset, "description": "Whether the tiers count all of an account's jobs, or each month's anew."},
        "tiers": _list(_object({"after_jobs": _COUNT, "discount": decimal})),
    }
    return {"PlanDocument": {**plan, "description": "A price plan."}}


def _budget_members() -> dict[str, Schema]:
    amount = {"type": ["number", "string"], "exclusiveMinimum": 0, "exclusiveMaximum": int(MAX_AMOUNT)}
    percent = {"type": "integer", "minimum": 1, "maximum": MAX_THRESHOLD}
    thresholds = {**_list(percent), "maxItems": MAX_THRESHOLDS, "default": list(DEFAULT_THRESHOLDS)}
    return {
        "amount": {**amount, "description": "A decimal, in quotes or not."},
        "thresholds": {**thresholds, "description": "Whole percents of the amount."},
    }


def _budgets() -> dict[str, Schema]:
    percent = {"type": "integer", "minimum": 1, "maximum": MAX_THRESHOLD}
    percents = {**_list(percent), "maxItems": MAX_THRESHOLDS}
    use = {
        "api_key": {"type": ["string", "null"], "description": "Null for the budget of the whole account."},
        "amount": _MONEY,
        "thresholds": {**percents, "description": "Whole percents of the amount, ascending."},
        "cost": {**_MONEY, "description": "The final cost of the month so far."},
        "left": {**_MONEY, "description": "What is left of the amount, never below 0."},
        "used_percentage": {"type": "number", "minimum": 0},
        "thresholds_passed": {**percents, "description": "Those that the cost has reached."},
    }
    return {
        "BudgetUse": _object(use, description="A budget and what the month has used of it so far."),
        "BudgetReport": _object({"month": _MONTH, "budgets": _list(ref("BudgetUse"))}),
    }


def _forecasts() -> dict[str, Schema]:
    lacking = {"type": ["string", "null"], "description": "What the history lacks for a forecast; null if nothing."}
    tokens = {"type": "object", "additionalProperties": ref("Estimate"), "description": "By meter."}
    so_far = {"jobs": _COUNT, "tokens": _TOKENS, "final_cost": _MONEY}
    month_end = {"jobs": ref("Estimate"), "tokens": tokens, "final_cost": ref("CostEstimate")}
    day: Schema = {"type": ["string", "null"], "format": "date"}
    reached: dict[str, Schema] = {
        "reached": {"type": "boolean", "description": "Whether it has been, on the day that all three then name."},
        "expected": {**day, "description": "Null where it is not within the month (a budget) or 366 days."},
        "earliest": day,
        "latest": day,
    }
    tier: dict[str, Schema] = {
        "tier": {"type": "integer", "minimum": 1},
        "after_jobs": _COUNT,
        "discount": _PERCENT,
        "jobs_left": _COUNT,
    }
    budget: dict[str, Schema] = {"api_key": {"type": ["string", "null"]}, "amount": _MONEY, "cost": _MONEY}
    forecast = {
        "month": _MONTH,
        "today": _DAY,
        "interval_percentage": {**_PERCENT, "type": "integer"},
        "so_far": _object(so_far, description="The month up to now, exactly as the report has it."),
        "month_end": _or_null(ref("MonthEnd")),
        "too_little": lacking,
        "free_jobs": _or_null(_object({**reached, "free_jobs": _COUNT, "left": _COUNT})),
        "next_tier": _or_null(_object({**reached, **tier})),
        "budgets": _list(
            _object({**reached, **budget, "month_end_cost": _or_null(ref("CostEstimate")), "too_little": lacking})
        ),
    }
    return {
        "Forecast": _object(forecast),
        "MonthEnd": _object(month_end, description="The whole month, what has happened included."),
        "Estimate": _object({"expected": _COUNT, "low": _COUNT, "high": _COUNT}),
        "CostEstimate": _object({"expected": _MONEY, "low": _MONEY, "high": _MONEY}),
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
