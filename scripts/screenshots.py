"""Takes the pictures of the README and the documentation from the running demo, with a real Chromium.

    make screenshots                                       # those of docs/images
    .venv/bin/python scripts/screenshots.py --all FOLDER   # every page in light, dark and phone width, to be looked at

The demo's jobs are those of one moment, so that the same pages give the same pictures.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, expect  # noqa: E402 - found once the checkout is on the path

from tallystick.demo.history import CUSTOMERS  # noqa: E402 - as above
from tallystick.demo.scenario import Demo, running_demo  # noqa: E402 - as above
from tests.browser import browsing  # noqa: E402 - as above

IMAGES: Final = ROOT / "docs" / "images"
NOW: Final = datetime(2025, 12, 18, 15, 30, tzinfo=UTC)
PERIOD: Final = "start_month=2025-01&end_month=2025-12"
ACCOUNT: Final = CUSTOMERS[0].name
_QUOTED: Final = quote(ACCOUNT, safe="")


class Form(NamedTuple):
    """How a page is looked at."""

    name: str
    width: int
    height: int
    scheme: str
    scale: int = 1


LIGHT: Final = Form("light", 1280, 836, "light")
DARK: Final = Form("dark", 1280, 836, "dark")
PHONE: Final = Form("phone", 320, 720, "light", 2)
FORMS: Final = (LIGHT, DARK, PHONE, Form("phone-dark", 320, 720, "dark", 2))

CUSTOMER_PAGES: Final = {
    "usage": f"?{PERIOD}",
    "jobs": f"/jobs?{PERIOD}",
    "days": f"/days?{PERIOD}",
    "statements": "/statements",
    "alerts": "/alerts",
    "refused": "/accounts/somebody",
    "period-of-nothing": "?start_month=1990-01&end_month=2025-12",
}
PROVIDER_PAGES: Final = {
    "accounts": f"/accounts?{PERIOD}",
    "account": f"/accounts/{_QUOTED}?{PERIOD}",
    "account-access": f"/accounts/{_QUOTED}/access",
    "account-alerts": f"/accounts/{_QUOTED}/alerts",
    "access": "/access",
    "plans": "/plans",
    "plan": "/plans/standard",
    "new-plan": "/new-plan",
    "quarantine": "/quarantine",
    "health": "/health",
    "nothing": "/nothing",
}


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", metavar="FOLDER", type=Path, help="every page in every form, into this folder")
    folder = parser.parse_args().all
    with running_demo(NOW, print) as demo, browsing() as browser:
        if folder is None:
            take_for_documents(browser, demo)
        else:
            take_all(browser, demo, folder)


def take_for_documents(browser: Browser, demo: Demo) -> None:
    """The customer's page in light and dark, the top of it; the provider's in light."""
    IMAGES.mkdir(exist_ok=True)
    for form in (LIGHT, DARK):
        with signed_in(browser, demo, demo.tokens.customer, form) as page:
            take(page, demo, CUSTOMER_PAGES["usage"], IMAGES / f"usage-{form.name}.png")
    with signed_in(browser, demo, demo.tokens.admin, LIGHT) as page:
        take(page, demo, PROVIDER_PAGES["accounts"], IMAGES / "accounts-light.png")


def take_all(browser: Browser, demo: Demo, folder: Path) -> None:
    """Every page from top to bottom, in every form."""
    folder.mkdir(parents=True, exist_ok=True)
    viewers = ((demo.tokens.customer, CUSTOMER_PAGES), (demo.tokens.admin, PROVIDER_PAGES))
    for form in FORMS:
        with new_page(browser, form) as page:
            take(page, demo, "/sign-in", folder / f"sign-in-{form.name}.png", whole=True)
        for token, pages in viewers:
            with signed_in(browser, demo, token, form) as page:
                for name, path in pages.items():
                    take(page, demo, path, folder / f"{name}-{form.name}.png", whole=True)


@contextmanager
def signed_in(browser: Browser, demo: Demo, token: str, form: Form) -> Iterator[Page]:
    """A page of somebody who has signed in with a token."""
    with new_page(browser, form) as page:
        page.goto(f"{demo.url}/dashboard/sign-in")
        page.get_by_label(re.compile("token", re.IGNORECASE)).first.fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("networkidle")
        yield page


@contextmanager
def new_page(browser: Browser, form: Form) -> Iterator[Page]:
    """A page of somebody who has not signed in."""
    context = browser.new_context(
        viewport={"width": form.width, "height": form.height},
        color_scheme="dark" if form.scheme == "dark" else "light",
        device_scale_factor=form.scale,
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def take(page: Page, demo: Demo, path: str, file: Path, *, whole: bool = False) -> None:
    """One picture, once every chart is drawn."""
    page.goto(f"{demo.url}/dashboard{path}")
    page.wait_for_load_state("networkidle")
    expect(page.locator("figure[data-state=waiting]")).to_have_count(0)
    expect(page.locator("figure[data-state=failed]")).to_have_count(0)
    page.screenshot(path=file, full_page=whole)
    print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
