"""The pages of the documentation that are written by the code itself; `mkdocs.yml` calls this as a hook.

The HTTP reference comes from the OpenAPI document, that of the command line from each command's help, and the settings
from their one table. So none of them can differ from what runs.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.testing import CliRunner

from tallystick.api.app import ROUTES
from tallystick.api.calls import OPTION
from tallystick.api.openapi import openapi_document
from tallystick.cli.app import app as command_line
from tallystick.client import Client
from tallystick.model.wire import encode
from tallystick.settings import Settings

Document = dict[str, Any]

WIDTH = 100
"""Columns of the terminal on which help is shown."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to those that are written by hand."""
    pages = {
        "reference/http.md": http_page(),
        "reference/command-line.md": command_line_page(),
        "reference/python.md": python_page(),
        "reference/settings.md": settings_page(),
    }
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Mends what the pages are made of.

    The colons that lead to an example in a docstring go: there they say that it is one. Long paths in tables may be
    broken behind a slash.
    """
    return _CELL.sub(lambda cell: _CODE.sub(_breakable, cell[0]), html.replace("<p>::</p>", ""))


_CELL: Final = re.compile(r"<td.*?</td>", re.DOTALL)
_CODE: Final = re.compile(r"<code>([^<]*)</code>")


def _breakable(code: re.Match[str]) -> str:
    return f"<code>{re.sub(r'(?<=[^ ])/(?=.)', '/<wbr>', code[1])}</code>"


def http_page() -> str:
    """Every call of the API: what it takes, what it answers, an example of each."""
    document = openapi_document([route.opt[OPTION] for route in ROUTES], Settings())
    lines = ["# HTTP", "", document["info"]["description"], ""]
    lines += ["The running server describes itself at `/openapi.json` and `/docs`; this page is made of the same.", ""]
    for tag in document["tags"]:
        lines += [f"## {tag['name'].capitalize()}", "", tag["description"], ""]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                if operation["tags"] == [tag["name"]]:
                    lines += [*_operation(method.upper(), path, operation, document), ""]
    return "\n".join(lines)


def _operation(method: str, path: str, operation: Document, document: Document) -> Iterator[str]:
    yield f"### `{method} {path}` {{ #{operation['operationId']} }}"
    yield ""
    yield f"**{operation['summary']}.** {operation['description']}"
    yield ""
    if parameters := operation.get("parameters"):
        yield "| parameter | in | meaning |"
        yield "|---|---|---|"
        for parameter in parameters:
            needed = "" if not parameter.get("required") else ", needed"
            yield f"| `{parameter['name']}` | {parameter['in']}{needed} | {parameter['description']} |"
        yield ""
    if body := operation.get("requestBody"):
        yield f"Body: {body['description']}"
        yield ""
        yield from _examples(body["content"])
    for status, answer in operation["responses"].items():
        described = _resolved(answer, document)
        if status.startswith("2"):
            yield f"**{status}**: {described['description']}"
            yield ""
            yield from _examples(described.get("content", {}))
    problems = [
        f"{status} ({_resolved(answer, document)['description'].rstrip('.')})"
        for status, answer in operation["responses"].items()
        if status.startswith(("4", "5"))
    ]
    yield f"Otherwise: {'; '.join(problems)}."


def _examples(content: Document) -> Iterator[str]:
    """One example of each different text: the media types that share it are named together."""
    shown: dict[str, list[str]] = {}
    for media_type, media in content.items():
        example = media.get("example")
        text = example if isinstance(example, str) else encode(example, indent=2).decode()
        shown.setdefault("" if example is None else text, []).append(media_type)
    for text, media_types in shown.items():
        yield ", ".join(f"`{media_type}`" for media_type in media_types) + (":" if text else "")
        yield ""
        if text:
            language = "json" if "json" in media_types[0] else "text"
            yield f"```{language}"
            yield text.rstrip("\n").replace("\r\n", "\n")
            yield "```"
            yield ""


def _resolved(answer: Document, document: Document) -> Document:
    if "$ref" not in answer:
        return answer
    found: Any = document
    for part in answer["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    resolved: Document = found
    return resolved


def command_line_page() -> str:
    """Every command's help, as it prints it on a wide terminal."""
    lines = ["# Command line", "", "What each command says to `--help`.", ""]
    for path in _commands(typer.main.get_command(command_line), ("tallystick",)):
        lines += [f"## `{' '.join(path)}`", "", "```text", _help(path), "```", ""]
    return "\n".join(lines)


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def _help(path: tuple[str, ...]) -> str:
    asked = CliRunner().invoke(
        command_line, [*path[1:], "--help"], prog_name=path[0], env={"COLUMNS": str(WIDTH), "TERM": "dumb"}
    )
    assert asked.exit_code == 0, asked.output
    return "\n".join(line.rstrip() for line in asked.stdout.strip("\n").splitlines())


def python_page() -> str:
    """The public classes, their text taken from the docstrings; each resource of the client has a section."""
    with Client(base_url="http://127.0.0.1:1", token="none") as client:
        resources = {name: type(value) for name, value in vars(client).items() if not name.startswith("_")}
    sections = [
        f"### client.{name}\n\n::: {kind.__module__}.{kind.__qualname__}\n"
        "    options:\n      show_root_heading: false\n      heading_level: 4\n"
        for name, kind in resources.items()
    ]
    return "\n".join([_PYTHON_HEAD, *sections, _PYTHON_TAIL])


_PYTHON_HEAD = """\
# Python

`pip install tallystick` brings the client, `pip install 'tallystick[server]'` the ledger besides.

## Client

::: tallystick.Client
    options:
      members: [close]

::: tallystick.AsyncClient
    options:
      members: [aclose]

What follows are the calls of `Client`. Those of `AsyncClient` are the same, to be awaited; `jobs.iter` and
`jobs.download` are iterated with `async for`.
"""

_PYTHON_TAIL = """\
## Ledger

::: tallystick.ledger.Ledger

::: tallystick.serve.app.create_app

## What calls give

::: tallystick.model.report.UsageReport
    options:
      members: [to_dict, to_json, from_json]

::: tallystick.model.jobs.Job
    options:
      members: false

::: tallystick.model.jobs.IngestResult
    options:
      members: false

::: tallystick.model.jobs.LedgerJob
    options:
      members: false

::: tallystick.model.usagetable.UsageTable
    options:
      members: [to_csv]

## Statements and webhooks

::: tallystick.verify.statement

::: tallystick.verify.Verification
    options:
      members: [to_dict]

::: tallystick.unwrap_webhook

## Charts

::: tallystick.charts
    options:
      members: [fill, describe, table, configuration, to_png, to_svg, bundle, Series]

## Errors

::: tallystick.errors
    options:
      show_root_heading: false
"""


def settings_page() -> str:
    """Every setting with its variable, default, limits and meaning."""
    lines = [
        "# Settings",
        "",
        "Each is a variable of the environment, and an option of `tallystick serve`. What does not fit is refused.",
        "",
        "| variable | option | default | meaning |",
        "|---|---|---|---|",
    ]
    hints = typing.get_type_hints(Settings, include_extras=True)
    for field in msgspec.structs.fields(Settings):
        default = msgspec.json.encode(field.default).decode().strip('"')
        (meta,) = hints[field.name].__metadata__
        variable, option = f"`TALLYSTICK_{field.name.upper()}`", f"`--{field.name.replace('_', '-')}`"
        lines.append(f"| {variable} | {option} | {f'`{default}`' if default else ''} | {meta.description} |")
    return "\n".join([*lines, ""])
