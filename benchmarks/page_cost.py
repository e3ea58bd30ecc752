"""What the first page of a customer costs in a real Chromium: time until it is complete, and bytes that are sent.

Of an account with 10,000,000 jobs, beside one with 10,000. Complete means that the page is there and each of its charts
is drawn. A first visit has an empty cache, a second one what the first has left.

Run from the root of the repository: ``python -m benchmarks.page_cost``. It makes a database of about 2 GB, unless
``--database FILE`` names one of an earlier run, and keeps it where that is given.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.histories import PERIOD
from benchmarks.serving import prepared, serving
from tests.browser import browsing

PATH: Final = f"/dashboard?start_month={PERIOD[0]}&end_month={PERIOD[1]}"
_COOKIE: Final = "tallystick_session"
_FORM: Final = re.compile(r'name="form_token" value="(\w+)"')
_COMPLETE: Final = """() => {
    const figures = [...document.querySelectorAll("figure.chart")];
    return figures.length > 0 && figures.every((each) => each.dataset.state === "drawn") && performance.now();
}"""
_ANSWERED: Final = "() => performance.getEntriesByType('navigation')[0].responseEnd"


class Visit(NamedTuple):
    """One visit: milliseconds until the page's own answer had come and until all was drawn, and bytes received."""

    answered: float
    complete: float
    sent_bytes: int


def signed_in(url: str, token: str) -> str:
    """The secret of a session."""
    with httpx.Client(base_url=url) as visitor:
        form = _FORM.search(visitor.get("/dashboard/sign-in").text)
        assert form is not None
        visitor.post("/dashboard/sign-in", data={"form_token": form[1], "token": token})
        return visitor.cookies[_COOKIE]


def new_visitor(browser: Browser, url: str, secret: str) -> BrowserContext:
    """Somebody who is signed in and has visited nothing."""
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": _COOKIE, "value": secret, "url": f"{url}/dashboard"}])
    return context


def visit(page: Page) -> Visit:
    """Opens the page and waits until it is complete."""
    received = 0

    def count(event: dict[str, float]) -> None:
        nonlocal received
        received += int(event["encodedDataLength"])

    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", count)
    page.goto(PATH)
    complete = page.wait_for_function(_COMPLETE).json_value()
    page.wait_for_load_state("networkidle")
    answered = page.evaluate(_ANSWERED)
    network.detach()
    return Visit(answered, complete, received)


def visits(browser: Browser, url: str, secret: str) -> tuple[Visit, Visit]:
    """A first and a second visit."""
    context = new_visitor(browser, url, secret)
    page = context.new_page()
    both = visit(page), visit(page)
    context.close()
    return both


def _median(measured: list[Visit]) -> Visit:
    return Visit(
        statistics.median(each.answered for each in measured),
        statistics.median(each.complete for each in measured),
        int(statistics.median(each.sent_bytes for each in measured)),
    )


def _row(name: str, which: str, measured: Visit, floor: Visit) -> str:
    return (
        f"{name:>12}  {which:<22}  {measured.answered:>9.0f}  {measured.complete:>9.0f}"
        f"  {measured.complete / floor.complete:>5.2f}  {measured.sent_bytes:>9,}"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", type=Path)
    arguments = parser.parse_args()
    sizes = {f"jobs {number}": number for number in (arguments.small, arguments.large)}
    with tempfile.TemporaryDirectory() as folder:
        file = arguments.database or Path(folder) / "pages.db"
        tokens = prepared(file, sizes)
        with serving(file) as served, browsing() as browser:
            url = served.url
            secrets = {name: signed_in(url, token) for name, token in tokens.items()}
            # The first of all finds no boundary kept and, right after the start, no charting scripts made.
            cold = {name: visits(browser, url, secret)[0] for name, secret in secrets.items()}
            rounds: dict[str, list[tuple[Visit, Visit]]] = {name: [] for name in sizes}
            for _ in range(arguments.rounds):
                for name, secret in secrets.items():
                    rounds[name].append(visits(browser, url, secret))
    small, large = sizes
    print(f"{'jobs':>12}  {'visit':<22}  {'page ms':>9}  {'drawn ms':>9}  ratio  {'bytes':>9}")
    for place, which in enumerate(("first, empty cache", "second")):
        floor = _median([both[place] for both in rounds[small]])
        for name in (small, large):
            measured = _median([both[place] for both in rounds[name]])
            print(_row(f"{sizes[name]:,}", which, measured, floor))
    for name in (small, large):
        print(_row(f"{sizes[name]:,}", "first after the start", cold[name], cold[small]))
    print(f"medians of {arguments.rounds} rounds; ratio: drawn, to the small account's")


if __name__ == "__main__":
    main()
