"""A real Chromium for the tests: found where Debian or Playwright put it, installed where it is missing and can be.

``python -m tests.browser`` does that and says what it found; `make test` runs it before the tests. Where there is
none, the tests that need one fail with the reason; none is skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright, Request, expect, sync_playwright

CHROMIUM: Final = "TALLYSTICK_TEST_CHROMIUM"
"""Names another Chromium or Chrome to be used."""

_COMMANDS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE_MILLISECONDS: Final = 30_000
"""On a machine that does much else at once a page takes its time."""

_RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_MISSING: Final = (
    f"No Chromium was found: none of {', '.join(_COMMANDS)} is on the path, {CHROMIUM} names none, and Playwright has "
    "installed none. On Debian: apt-get install chromium. Anywhere: playwright install chromium."
)
# Inside a container Chromium may not make the namespaces of its sandbox, and /dev/shm may be small.
_ARGUMENTS: Final = ("--no-sandbox", "--disable-dev-shm-usage")


class NoChromium(Exception):
    """There is none, and it could not be installed."""


def find_chromium(playwright: Playwright) -> str:
    """The path of a Chromium. Raises `NoChromium`, saying what to do."""
    named = os.environ.get(CHROMIUM)
    if named:
        if not Path(named).is_file():
            raise NoChromium(f"{CHROMIUM} names {named}, and there is no such file.")
        return named
    for command in _COMMANDS:
        if found := shutil.which(command):
            return found
    bundled = playwright.chromium.executable_path
    if Path(bundled).is_file():
        return bundled
    raise NoChromium(_MISSING)


def install_chromium() -> None:
    """Installs Debian's package where that is possible, otherwise Playwright's own build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=False)
    if not any(map(shutil.which, _COMMANDS)):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=_ARGUMENTS)
        expect.set_options(timeout=_PATIENCE_MILLISECONDS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def looking(browser: Browser, url: str) -> Iterator[Page]:
    """A page of a visitor of its own, which must not complain nor ask another host than that of `url`."""
    context = browser.new_context(base_url=url)
    context.set_default_timeout(_PATIENCE_MILLISECONDS)
    page = context.new_page()
    watch = Watch(page, url)
    try:
        yield page
    finally:
        context.close()
    watch.assert_quiet()


class Watch:
    """What a page does meanwhile: errors on its console, and requests to hosts that are not its own."""

    def __init__(self, page: Page, url: str) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self._host = urlsplit(url).netloc
        self._opened: set[str] = set()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # A page that is itself an answer such as 404 is the test's business.
        if message.type in ("error", "warning") and message.location["url"] not in self._opened:
            self.errors.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if request.is_navigation_request():
            self._opened.add(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self._host:
            self.elsewhere.append(request.url)

    def assert_quiet(self) -> None:
        """Fails where the page complained, or asked another host."""
        assert (self.errors, self.elsewhere) == ([], [])


def accessibility_breaches(page: Page, *, colours_alone: bool = False) -> list[str]:
    """What axe-core finds wrong by WCAG 2.2 A and AA, a line for each rule and place; of contrast alone on demand."""
    only = {"type": "rule", "values": ["color-contrast"]} if colours_alone else {"type": "tag", "values": _RULES}
    found = Axe().run(page, options={"runOnly": only}).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def main() -> int:
    """Sees to it that there is a browser; gives the exit code."""
    for install in (install_chromium, None):
        try:
            with browsing() as browser:
                print(f"Chromium {browser.version}")  # noqa: T201 - said to whoever runs make
            return 0
        except NoChromium as error:
            if install is None:
                sys.stderr.write(f"{error}\n")
                return 1
            install()
        except Error as error:
            sys.stderr.write(f"A Chromium is there and does not start; {CHROMIUM} can name another:\n{error}\n")
            return 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
