"""The documentation site: it builds, is complete, and asks no other host for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from scripts.site_pages import command_line_page, http_page, python_page, settings_page
from tallystick import Client
from tallystick.api.app import ROUTES
from tallystick.api.calls import OPTION
from tallystick.settings import Settings
from tests.cli.test_commands import COMMANDS
from tests.client.scripted import BASE_URL, TOKEN
from tests.client.test_twins import RESOURCES

ROOT: Final = Path(__file__).resolve().parent.parent.parent
LOADED_BY: Final = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "srcset"}


def test_every_call_is_on_the_page_of_http() -> None:
    page = http_page()
    for route in ROUTES:
        call = route.opt[OPTION]
        for path in call.paths:
            heading = f"### `{call.method.value} {path.replace(':str', '')}`"
            assert heading in page
            section = page.partition(heading)[2].partition("\n### ")[0]
            assert call.summary in section
            assert all(f"| `{parameter.name}` |" in section for parameter in call.parameters)


def test_every_command_is_on_its_page_with_its_help() -> None:
    page = command_line_page()
    for path in COMMANDS:
        assert f"## `tallystick {' '.join(path)}`\n\n```text\nUsage: tallystick {' '.join(path)} " in page


def test_every_setting_is_on_its_page() -> None:
    page = settings_page()
    assert page.count("\n| `TALLYSTICK_") == len(msgspec.structs.fields(Settings))


class Addresses(HTMLParser):
    """What a page has its reader's browser load, and where it leads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if LOADED_BY.get(tag, "") in given and given.get("rel") not in {"canonical", "next", "prev"}:
            self.loaded.add(given[LOADED_BY[tag]])


def test_the_site_is_complete_and_asks_no_other_host(tmp_path: Path) -> None:
    """Built as `make docs` builds it, once for all of this: a broken link or a page that is nowhere listed fails."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "TALLYSTICK_TOKEN": "of-this-machine"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    # Nothing of this machine, such as its environment as a default that is shown.
    of_here = re.compile(f"of-this-machine|{re.escape(str(ROOT))}")
    assert not [page for page in tmp_path.rglob("*.html") if of_here.search(page.read_text("utf-8"))]
    pages = {page: Addresses(page.read_text("utf-8")) for page in sorted(tmp_path.rglob("*.html"))}
    loaded = [(page, address) for page, read in pages.items() for address in read.loaded if urlsplit(address).netloc]
    assert not loaded
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", style.read_text("utf-8")), style
    # The addresses of 404.html are those of the site's root, wherever that will be.
    broken = [(page, link) for page in pages if page.name != "404.html" for link in broken_links(pages, page)]
    assert not broken
    of_python = pages[tmp_path / "reference" / "python" / "index.html"]
    assert {f"tallystick.client.resources.{name}" for name in methods()} <= of_python.ids
    assert all((tmp_path / "images" / image).is_file() for image in ("usage-light.png", "usage-dark.png"))


def broken_links(pages: Mapping[Path, Addresses], page: Path) -> Iterator[str]:
    """The links of a page that lead to no page of the site, or to no place on it."""
    for link in pages[page].links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link.startswith("/"):
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        target = target / "index.html" if target.is_dir() else target
        if not target.exists() or (
            target in pages and parts.fragment and unquote(parts.fragment) not in pages[target].ids
        ):
            yield link


def methods() -> list[str]:
    """Every call of the client, by the class that has it."""
    assert python_page()
    with Client(base_url=BASE_URL, token=TOKEN) as client:
        return [
            f"{type(getattr(client, resource)).__name__}.{name}"
            for resource, names in RESOURCES.items()
            for name in names
        ]
