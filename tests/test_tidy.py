"""The structure of the code, held by tests: who may import whom, what the pure parts may touch, how files are kept.

A rule is a function that takes a parsed module and gives a line for each breach, named ``file:line``. Each rule
is tried twice: on the whole source, where it must find nothing, and on a snippet that breaks it, where it must.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src"

LAYERS: Final = (
    {"cli"},
    {"bench", "demo"},
    {"serve", "verify"},
    {"api", "web", "webhooks"},
    {"ledger"},
    {"ingest", "report"},
    {"store", "rating", "client", "charts", "printing"},
    {"settings", "streams", "striking"},
    {"model"},
    {"errors", "version"},
)
"""From the top. A module imports from layers below its own only, and what shares a layer knows nothing of each other.

The package's own ``__init__`` stands above them all: it offers the public names, and nothing imports it.
"""

EXTRA_IMPORTS: Final = {
    "client": {"model", "errors", "version"},
    "verify": {"client", "rating", "report", "model", "errors", "version"},
}
"""Layers with less freedom than their place gives them: `client` and `verify` serve the light base install."""

PURE: Final = {"model", "rating", "report"}
IMPURE_MODULES: Final = frozenset(
    {
        "asyncio",
        "glob",
        "http",
        "httpx",
        "io",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "socket",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
        "zoneinfo",
    }
)
"""Doors to clocks, files, sockets, randomness and threads. Pure code is handed what comes through them."""

DATABASE_MODULES: Final = frozenset({"aiosqlite", "alembic", "apsw", "psycopg", "sqlalchemy", "sqlite3"})
SERVER_MODULES: Final = DATABASE_MODULES - {"sqlite3"} | {
    "httptools",
    "jinja2",
    "litestar",
    "openapi_ui_bundles",
    "pyarrow",
    "uvicorn",
    "uvloop",
    "vl_convert",
}
BASE: Final = {"", "version", "errors", "settings", "model", "client", "charts", "rating", "verify", "cli"}
"""Parts that must load in the base install, without the libraries of ``tallystick[server]``."""

VAGUE_NAMES: Final = frozenset({"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"})
LONGEST_FUNCTION: Final = 70
SQL: Final = re.compile(
    r"\b(?:select\b.+\bfrom\b|insert\s+into\b|delete\s+from\b|update\s+\w+\s+set\b|(?:create|alter|drop)\s+table\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Import:
    """One import of a module of ours (dotted, without the package's name) or of somebody else's."""

    line: int
    name: str
    ours: bool
    on_load: bool

    @property
    def top(self) -> str:
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Module:
    """A parsed file of the source. `name` is dotted and lacks the package's own name: ``model.money``."""

    path: str
    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> Module:
        parts = path.relative_to(SOURCE / "tallystick").with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        return cls(path.relative_to(ROOT).as_posix(), name, path.read_text(encoding="utf-8"))

    @property
    def part(self) -> str:
        """The first name below the package: its layer's entry; empty for the package's own ``__init__``."""
        return self.name.partition(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        loaded = {id(node) for node in statements_on_load(self.tree)}
        return tuple(found for node in self.nodes for found in imports_of(node, on_load=id(node) in loaded))

    def breach(self, line: int, what: str) -> str:
        return f"{self.path}:{line} {what}"


def statements_on_load(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: everything outside functions and ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from statements_on_load(node)


def imports_of(node: ast.AST, *, on_load: bool) -> Iterator[Import]:
    """The imports of one statement; ``from tallystick.model import money`` imports ``model.money``."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield classify(node.lineno, alias.name, on_load=on_load)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield classify(node.lineno, f"{node.module or '.'}.{alias.name}", on_load=on_load)


def classify(line: int, name: str, *, on_load: bool) -> Import:
    package, _, rest = name.partition(".")
    ours = package == "tallystick"
    return Import(line, rest if ours else name, ours, on_load)


@lru_cache(maxsize=1)
def source_modules() -> tuple[Module, ...]:
    return tuple(Module.read(path) for path in sorted((SOURCE / "tallystick").rglob("*.py")))


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in module.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


# The rules.


def imports_point_down(module: Module) -> Iterator[str]:
    depth = {part: number for number, parts in enumerate(LAYERS) for part in parts}
    if not module.part:
        return
    if module.part not in depth:
        yield module.breach(1, f"{module.part!r} has no place among the layers; give it one in tests/test_tidy.py")
        return
    for found in module.imports:
        if not found.ours or found.top == module.part:
            continue
        if found.top not in depth:
            yield module.breach(found.line, f"imports {found.name or 'the package itself'}, which is no layer")
        elif depth[found.top] <= depth[module.part]:
            yield module.breach(found.line, f"{module.part} imports {found.top}, which is not below it")
        elif module.part in EXTRA_IMPORTS and found.top not in EXTRA_IMPORTS[module.part]:
            yield module.breach(
                found.line, f"{module.part} imports {found.top}; it may know {EXTRA_IMPORTS[module.part]}"
            )


def module_names_say_something(module: Module) -> Iterator[str]:
    for part in module.name.split("."):
        if part.strip("_") in VAGUE_NAMES:
            yield module.breach(1, f"{part!r} says nothing of what is inside")


def functions_are_short(module: Module) -> Iterator[str]:
    for function in functions(module):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > LONGEST_FUNCTION:
            yield module.breach(function.lineno, f"{function.name} has {length} lines, more than {LONGEST_FUNCTION}")


def money_is_never_a_float(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield module.breach(node.lineno, "calls float()")


def instants_have_a_zone(module: Module) -> Iterator[str]:
    for node in module.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        without_arguments = not node.args and not node.keywords
        if node.func.attr in {"utcnow", "utcfromtimestamp"} or (
            node.func.attr in {"now", "today"} and without_arguments and names_a_date(node.func.value)
        ):
            yield module.breach(node.lineno, f"{ast.unparse(node)} gives a time without a zone")


def names_a_date(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] in {"date", "datetime"}


def pure_parts_touch_nothing(module: Module) -> Iterator[str]:
    if module.part not in PURE:
        return
    for found in module.imports:
        if not found.ours and found.top in IMPURE_MODULES:
            yield module.breach(found.line, f"{module.part} is pure and imports {found.top}")
    for node in module.nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"open", "input", "print"}:
            yield module.breach(node.lineno, f"{module.part} is pure and calls {ast.unparse(node.func)}()")
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"} and names_a_date(node.value):
            yield module.breach(node.lineno, f"{module.part} is pure and reads a clock")


def sql_stays_in_the_store(module: Module) -> Iterator[str]:
    if module.part == "store":
        return
    for found in module.imports:
        if not found.ours and found.top in DATABASE_MODULES:
            yield module.breach(found.line, f"imports {found.top}; only the store speaks to databases")
    for node in module.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and is_sql(module, node):
            yield module.breach(node.lineno, "holds SQL; it belongs in the store")


def is_sql(module: Module, node: ast.Constant) -> bool:
    return SQL.match(str(node.value).strip()) is not None and node not in docstrings(module)


def docstrings(module: Module) -> list[ast.AST]:
    return [node.value for node in module.nodes if isinstance(node, ast.Expr)]


def modules_have_a_docstring(module: Module) -> Iterator[str]:
    if module.tree.body and not ast.get_docstring(module.tree):
        yield module.breach(1, "has no docstring")


def nothing_is_left_unfinished(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover", line):
            yield module.breach(number, f"is unfinished: {line.strip()}")


def silenced_checks_say_why(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.text.splitlines(), 1):
        silenced = re.search(r"#\s*noqa\b(?P<rest>.*)", line)
        if silenced and not re.match(r":\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s+\S", silenced["rest"]):
            yield module.breach(number, "a noqa names its rule and, behind it, the reason")


Rule = Callable[[Module], Iterator[str]]

BREACHES: Final[tuple[tuple[Rule, str, str], ...]] = (
    (imports_point_down, "model.money", "from tallystick.store import Store"),
    (imports_point_down, "model.money", "def late():\n    from tallystick import store"),
    (imports_point_down, "store.jobs", "import tallystick.rating.tiers"),
    (imports_point_down, "client.sync", "from tallystick.settings import Settings"),
    (imports_point_down, "api.app", "from tallystick import Ledger"),
    (imports_point_down, "newcomer", ""),
    (module_names_say_something, "model.utils", ""),
    (module_names_say_something, "store._common.rows", ""),
    (functions_are_short, "model.money", "def long():\n" + "    x = 1\n" * LONGEST_FUNCTION),
    (functions_are_short, "model.money", "async def long():\n" + "    x = 1\n" * LONGEST_FUNCTION),
    (money_is_never_a_float, "model.money", "price = float('0.1')"),
    (instants_have_a_zone, "cli", "from datetime import datetime\ndatetime.now()"),
    (instants_have_a_zone, "cli", "import datetime\ndatetime.date.today()"),
    (instants_have_a_zone, "cli", "import datetime\ndatetime.datetime.utcnow()"),
    (pure_parts_touch_nothing, "rating.tiers", "import time"),
    (pure_parts_touch_nothing, "rating.tiers", "from os import path"),
    (pure_parts_touch_nothing, "model.plans", "def read():\n    import pathlib"),
    (pure_parts_touch_nothing, "model.plans", "text = open('plan.toml').read()"),
    (pure_parts_touch_nothing, "report.usage", "from datetime import UTC, datetime\nmoment = datetime.now(UTC)"),
    (sql_stays_in_the_store, "ledger", "from sqlalchemy import select"),
    (sql_stays_in_the_store, "cli", "def run():\n    import sqlite3"),
    (sql_stays_in_the_store, "report", "query = 'SELECT jobs\\nFROM usage_day'"),
    (sql_stays_in_the_store, "api", "query = f'insert into job values ({1})'"),
    (modules_have_a_docstring, "model.money", "import re"),
    (nothing_is_left_unfinished, "model.money", "# TODO round"),
    (nothing_is_left_unfinished, "model.money", "raise NotImplementedError"),
    (silenced_checks_say_why, "model.money", "import re  # noqa"),
    (silenced_checks_say_why, "model.money", "import re  # noqa: F401"),
)

RULES: Final = tuple(dict.fromkeys(rule for rule, _, _ in BREACHES))


def rule_name(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("rule", RULES, ids=rule_name)
def test_the_source_keeps_the_rule(rule: Rule) -> None:
    breaches = [breach for module in source_modules() for breach in rule(module)]
    assert not breaches, "\n".join(["", *breaches])


@pytest.mark.parametrize(("rule", "name", "text"), BREACHES, ids=rule_name)
def test_the_rule_catches_a_breach_and_names_its_place(rule: Rule, name: str, text: str) -> None:
    path = f"src/tallystick/{name.replace('.', '/')}.py"
    found = list(rule(Module(path, name, text)))
    assert found
    assert all(re.match(rf"{re.escape(path)}:\d+ ", breach) for breach in found)


def test_every_function_counted_is_of_this_source() -> None:
    """The rules look at something: an empty source would keep them all."""
    assert {module.part for module in source_modules()} >= {"errors", "model", "version"}
    assert sum(1 for module in source_modules() for _ in functions(module)) > 100


# What the base install loads.


def loaded_with(name: str, modules: dict[str, Module]) -> Iterator[tuple[Module, Import]]:
    """Every import of others' modules that importing the module `name` causes, through ours."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen or current not in modules:
            continue
        seen.add(current)
        for found in modules[current].imports:
            if found.on_load and found.ours:
                # The name may be a module or something inside one; its packages are loaded too.
                parts = found.name.split(".")
                waiting += [".".join(parts[:length]) for length in range(len(parts) + 1)]
            elif found.on_load:
                yield modules[current], found


def test_the_base_install_loads_without_the_libraries_of_the_server() -> None:
    modules = {module.name: module for module in source_modules()}
    breaches = {
        f"{holder.path}:{found.line} imports {found.name}, and is loaded by {module.path}"
        for module in modules.values()
        if module.part in BASE
        for holder, found in loaded_with(module.name, modules)
        if found.top in SERVER_MODULES
    }
    assert not breaches, "\n".join(["", *sorted(breaches)])


def test_a_library_of_the_server_is_found_behind_several_imports() -> None:
    modules = {
        "": Module("src/tallystick/__init__.py", "", ""),
        "cli": Module("src/tallystick/cli/__init__.py", "cli", "from tallystick.cli.usage import show"),
        "cli.usage": Module("src/tallystick/cli/usage.py", "cli.usage", "import tallystick.store"),
        "store": Module("src/tallystick/store/__init__.py", "store", "from sqlalchemy import select"),
    }
    assert [found.name for _, found in loaded_with("cli", modules)] == ["sqlalchemy.select"]


def test_an_import_inside_a_function_or_for_types_alone_loads_nothing() -> None:
    text = "if TYPE_CHECKING:\n    import alembic\ndef serve():\n    import uvicorn\nclass Lazy:\n    import litestar"
    modules = {"cli": Module("src/tallystick/cli.py", "cli", text)}
    assert [found.name for _, found in loaded_with("cli", modules)] == ["litestar"]
