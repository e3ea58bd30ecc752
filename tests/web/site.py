"""What the tests of the pages share: a visitor that signs in over HTTP, and pages read as a person reads them."""

from __future__ import annotations

import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any, ClassVar, Final

import httpx

from tallystick.model.wire import decode
from tests.api.service import Service

PREFIX: Final = "/dashboard"
_FORM_TOKEN: Final = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


class Visitor:
    """A browser without a window, scripts or styles. A fixture closes all of them."""

    opened: ClassVar[list[Visitor]] = []

    def __init__(self, service: Service) -> None:
        self.opened.append(self)
        self.client = httpx.Client(base_url=service.url, timeout=30)

    def get(self, path: str = "", **query: str) -> httpx.Response:
        return self.client.get(PREFIX + path, params=query or None)

    def form_token(self, path: str = "/sign-in") -> str:
        found = _FORM_TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def post(self, path: str, fields: dict[str, Any] | None = None, *, page: str = "") -> httpx.Response:
        """Sends a form with the token that `page` carries."""
        return self.client.post(PREFIX + path, data={"form_token": self.form_token(page), **(fields or {})})

    def sign_in(self, token: str, **fields: str) -> httpx.Response:
        return self.post("/sign-in", {"token": token, **fields}, page="/sign-in")


class ReadCell:
    """A cell as it is read: its text, and the exact value that a program would take from it."""

    def __init__(self) -> None:
        self.text = ""
        self.value = ""

    @property
    def number(self) -> Decimal:
        return Decimal(self.value or self.text.replace(",", "").removesuffix(" %"))


class _Tables(HTMLParser):
    """The tables of a page by the id of their panel: rows of cells, heads and totals included."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[ReadCell]]] = {}
        self._rows: list[list[ReadCell]] = []
        self._cell: ReadCell | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section" and given.get("id"):
            self._rows = self.tables.setdefault(str(given["id"]), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._cell = ReadCell()
            self._rows[-1].append(self._cell)
        elif tag == "data" and self._cell is not None:
            self._cell.value = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.text = " ".join([*self._cell.text.split(), *data.split()])


def tables(html: str) -> dict[str, list[list[ReadCell]]]:
    """Every table of a page, by its panel's id: its rows, the first with the heads."""
    parser = _Tables()
    parser.feed(html)
    return parser.tables


def specification(page: str, name: str) -> Any:
    """What stands in a page to be drawn."""
    figure = page.partition(f'<figure class="panel chart {name}"')[2]
    return decode(figure.partition('class="specification">')[2].partition("</script>")[0])
