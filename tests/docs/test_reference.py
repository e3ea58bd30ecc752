"""The reference cannot lie: its tables are those of the code, and every error code is explained."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final, TypeGuard, get_args

import msgspec
import typer
from litestar.handlers import HTTPRouteHandler

from tallystick.api.app import ROUTES
from tallystick.api.calls import METRICS, OPTION, PUBLIC, Call
from tallystick.cli.app import app
from tallystick.model.budgets import MAX_THRESHOLD, MAX_THRESHOLDS
from tallystick.model.jobs import RejectionCode
from tallystick.model.plans import Reset, parse_plan_toml
from tallystick.model.tokens import Scope
from tallystick.settings import Settings
from tallystick.verify.differences import DifferenceCode
from tallystick.web.app import ROUTES as PAGES
from tallystick.web.pages import SUMMARY
from tallystick.web.request import PREFIX
from tallystick.web.visits import VIEWERS

ROOT: Final = Path(__file__).resolve().parent.parent.parent
REFERENCE: Final = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
SHOWN: Final = {PUBLIC: "none", METRICS: "none, or admin by the setting `metrics`"}
VISITORS: Final = {
    "anyone": "everybody",
    "account": "the customer; the provider where the path names an account",
    "managers": "the customer with a manage token; the provider where the path names an account",
    "provider": "the provider",
}
SCOPES: Final = (Scope.USAGE, Scope.MANAGE, Scope.ADMIN, Scope.INGEST)


def table_rows(heading: str) -> list[str]:
    """The rows of the first table below a heading, without its head."""
    section = REFERENCE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert rows, f"there is no table below {heading}"
    return rows[2:]


def call_row(call: Call) -> str:
    calls = ", ".join(f"`{call.method.value} {re.sub(':str', '', path)}`" for path in call.paths)
    scopes = (
        SHOWN[call.allowed]
        if isinstance(call.allowed, str)
        else ", ".join(scope for scope in SCOPES if scope in call.allowed)
    )
    query = ", ".join(f"`{parameter.name}`" for parameter in call.parameters)
    return f"| {calls} | {scopes} | {query} | {call.summary} |"


def page_row(route: HTTPRouteHandler) -> str:
    methods = sorted(method for method in route.http_methods if method != "OPTIONS")
    paths = sorted(re.sub(r":\w+", "", path).rstrip("/") for path in route.paths)
    shown = ", ".join(f"`{method} {PREFIX}{path}`" for method in methods for path in paths)
    return f"| {shown} | {VISITORS[route.opt[VIEWERS]]} | {route.opt[SUMMARY]} |"


def command_rows(command: object, path: str) -> Iterator[str]:
    commands = getattr(command, "commands", None)
    if commands is None:
        shown = command.get_short_help_str(200)  # type: ignore[attr-defined]  # click's, which typer brings along
        yield f"| `{path}` | {shown} |"
        return
    for name, inner in commands.items():
        yield from command_rows(inner, f"{path} {name}")


def setting_rows() -> Iterator[str]:
    hints = typing.get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        default = msgspec.json.encode(field.default).decode().strip('"')
        (meta,) = hints[field.name].__metadata__
        yield f"| `TALLYSTICK_{field.name.upper()}` | {default} | {meta.description} |"


def test_every_call_is_documented_with_its_scopes_and_parameters() -> None:
    assert table_rows("HTTP calls") == [call_row(route.opt[OPTION]) for route in ROUTES]


def test_every_page_is_documented_with_who_may_see_it() -> None:
    assert table_rows("Pages") == [page_row(route) for route in PAGES]


def test_every_command_is_documented() -> None:
    assert table_rows("Commands") == list(command_rows(typer.main.get_command(app), "tallystick"))


def test_every_setting_is_documented_with_its_default() -> None:
    assert table_rows("Settings") == list(setting_rows())


def test_the_documented_plan_is_the_default_plan() -> None:
    documented = REFERENCE.partition("```toml\n")[2].partition("```")[0]
    packaged = (resources.files("tallystick.ledger") / "standard.toml").read_text("utf-8")
    assert parse_plan_toml(documented) == parse_plan_toml(packaged)


def test_the_documented_resets_stand_where_the_page_says() -> None:
    plan, resets = re.findall(r"^```toml\n(.*?)^```$", REFERENCE, re.MULTILINE | re.DOTALL)
    read = parse_plan_toml(plan.replace("\n[[meters]]", f"\n{resets}\n[[meters]]", 1))
    assert (read.reset, read.free_jobs_reset) == (Reset.MONTH, Reset.MONTH)


def test_no_other_block_stands_in_the_reference() -> None:
    assert re.findall(r"^```([a-z]+)$", REFERENCE, re.MULTILINE) == ["toml", "toml"]


def is_text(node: ast.AST | None) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def error_codes() -> set[str]:
    """Every code in the source: given to an error, or the code of its class; and those of rejected jobs."""
    codes = set(get_args(RejectionCode))
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                codes.add(str(node.value.value))
            if isinstance(node, ast.Assign | ast.AnnAssign) and is_text(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                # `code` of a class, and constants such as `_CODE`.
                if any(isinstance(target, ast.Name) and re.fullmatch(r"(?i)\w*code", target.id) for target in targets):
                    codes.add(ast.literal_eval(node.value))
            if isinstance(node, ast.arguments):
                named = dict(zip((arg.arg for arg in node.kwonlyargs), node.kw_defaults, strict=True))
                if is_text(default := named.get("code")):
                    codes.add(ast.literal_eval(default))
    return codes - {"error"}  # the root's own, which nothing raises


def test_every_error_code_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?`) \|", REFERENCE.partition("\n## Error codes\n")[2], re.MULTILINE)
    explained = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert error_codes() - explained == set()
    by_the_router = {"client_gone", "method_not_allowed"}
    assert explained - error_codes() == by_the_router


def test_whatever_may_not_hold_of_a_statement_is_explained() -> None:
    page = (ROOT / "docs" / "statements.md").read_text(encoding="utf-8").partition("\n## Checking one\n")[2]
    rows = re.findall(r"^\| (`.+?`) \|", page.partition("\n## ")[0], re.MULTILINE)
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == set(get_args(DifferenceCode))


def test_the_page_of_budgets_tells_which_thresholds_are_taken() -> None:
    page = (ROOT / "docs" / "how-to" / "budgets.md").read_text(encoding="utf-8")
    assert f"whole percents from 1 to {MAX_THRESHOLD}, at most {MAX_THRESHOLDS} of them" in page
