"""The pages in a real Chromium: signing in, choosing, sorting, signing out; by keyboard; for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.service import Service
from tests.browser import accessibility_breaches, looking

JANUARY = "start_month=2025-01&end_month=2025-01"
CUSTOMER_PAGES = (
    f"?{JANUARY}",
    f"/jobs?{JANUARY}&api_key=another+api+key",
    f"/days?{JANUARY}",
    "/statements",
    "/statements/2025-01",
    "/alerts",
    "?start_month=nonsense",
    "/nothing",
)
PROVIDER_PAGES = (
    f"/accounts?{JANUARY}",
    f"/accounts/acme/days?{JANUARY}",
    "/accounts/acme/statements",
    "/accounts/acme/alerts",
    "/accounts/acme/access",
    "/accounts/nobody",
    "/access",
    "/plans",
    "/plans/standard",
    "/new-plan",
    "/webhooks",
    "/quarantine",
    "/health",
)


@pytest.fixture
def page(browser: Browser, shared: Service) -> Iterator[Page]:
    """Somebody's browser."""
    with looking(browser, shared.url) as opened:
        yield opened


def sign_in(page: Page, token: str) -> None:
    page.goto("/dashboard/sign-in")
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def test_a_customer_signs_in_chooses_a_period_and_signs_out(page: Page, shared: Service) -> None:
    page.goto(f"/dashboard?{JANUARY}")
    expect(page).to_have_title("Sign in · Tallystick")
    page.get_by_label("Token", exact=True).fill(shared.token("usage", "acme"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shared.url}/dashboard?{JANUARY}")
    expect(page.locator("#months tfoot")).to_contain_text("108")
    page.get_by_label("to", exact=True).select_option("2025-02")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(f"{shared.url}/dashboard?start_month=2025-01&end_month=2025-02")
    expect(page.locator("#months tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Last month").click()
    expect(page).to_have_url(f"{shared.url}/dashboard?{JANUARY}")
    expect(page.get_by_role("link", name="Last month")).to_have_attribute("aria-current", "true")
    page.locator("#months").get_by_role("link", name="108").click()
    expect(page).to_have_url(f"{shared.url}/dashboard/jobs?{JANUARY}")
    ranks = page.locator("#jobs tbody tr td:first-child")
    expect(ranks).to_have_text([str(rank) for rank in range(1, 51)])
    page.get_by_role("link", name="Next").click()
    expect(ranks).to_have_text([str(rank) for rank in range(51, 101)])
    page.get_by_role("link", name="Next").click()
    expect(ranks).to_have_text([str(rank) for rank in range(101, 109)])
    page.get_by_role("link", name="Previous").click()
    expect(ranks).to_have_text([str(rank) for rank in range(51, 101)])
    page.goto("/dashboard/accounts/somebody%20else")
    expect(page.get_by_role("alert")).to_have_text("This page is the provider's.")
    page.get_by_role("link", name="Back to the first page").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.go_back()
    expect(page).to_have_title("Sign in · Tallystick")
    page.goto("/dashboard")
    expect(page).to_have_title("Sign in · Tallystick")


def test_a_table_is_sorted_by_its_heads(page: Page, shared: Service) -> None:
    sign_in(page, shared.token("usage", "acme"))
    page.goto(f"/dashboard?{JANUARY}")
    names = page.locator("#keys tbody th")
    expect(names).to_have_text(["some api key", "another api key"])
    page.locator("#keys").get_by_role("link", name="API key").click()
    expect(names).to_have_text(["another api key", "some api key"])
    expect(page.locator("#keys th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    page.locator("#keys").get_by_role("link", name="Final").click()
    expect(names).to_have_text(["some api key", "another api key"])
    assert "keys_sort" not in page.url


CONTROLS = "a[href], button, select, input:not([type=hidden]), summary, [tabindex='0']"
REACHED = """(controls) => {
    const style = getComputedStyle(document.activeElement);
    const seen = document.activeElement.matches(":focus-visible") && style.outlineStyle !== "none";
    return [[...document.querySelectorAll(controls)].indexOf(document.activeElement), seen];
}"""
"""Which of the controls has the focus, and whether that can be seen."""


def test_every_control_of_the_page_is_reached_by_keyboard_in_the_order_of_the_page(page: Page, shared: Service) -> None:
    sign_in(page, shared.token("usage", "acme"))
    page.goto(f"/dashboard?{JANUARY}")
    page.wait_for_load_state()
    expect(page.locator("figure[data-state=waiting]")).to_have_count(0)
    assert controls_reached_in_order(page) > 40


def controls_reached_in_order(page: Page) -> int:
    """Walks through the page with the Tab key; gives how many controls it has."""
    # What a closed menu holds is not there to be reached.
    wanted = [place for place, control in enumerate(page.locator(CONTROLS).all()) if control.is_visible()]
    reached: list[list[int | bool]] = []
    while len(reached) < len(wanted):
        page.keyboard.press("Tab")
        place = page.evaluate(REACHED, CONTROLS)
        # A date has stops of its own for day, month, year and calendar.
        if not reached or place[0] != reached[-1][0]:
            reached.append(place)
    assert reached == [[place, True] for place in wanted]
    return len(wanted)


def test_alerts_are_used_by_keyboard_alone(page: Page, shared: Service) -> None:
    account = shared.account()
    shared.ledger.budgets.set(account, amount=1)
    shared.ledger.webhooks.create("https://hooks.example/first", account=account)
    sign_in(page, shared.token("manage", account))
    page.get_by_role("link", name="Alerts").press("Enter")
    page.wait_for_url("**/alerts")
    assert controls_reached_in_order(page) > 15
    page.get_by_label("URL", exact=True).focus()
    page.keyboard.type("https://hooks.example/second")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Description")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("free_jobs.low")).to_be_focused()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#new-secret")).to_contain_text("whsec_")
    expect(page.locator("#endpoint")).to_contain_text("free_jobs.low")
    page.get_by_role("button", name="Send a test event").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("A test event is on its way")
    assert controls_reached_in_order(page) > 15
    page.locator("#deliveries tbody").get_by_role("link").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("webhook.test")
    assert controls_reached_in_order(page) > 5


def test_the_page_is_used_by_keyboard_alone(page: Page, shared: Service) -> None:
    page.goto("/dashboard/sign-in")
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    page.keyboard.type(shared.token("usage", "acme"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shared.url}/dashboard")
    page.wait_for_load_state()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("From", exact=True)).to_be_focused()
    page.keyboard.type("Jan 2025")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shared.url}/dashboard?start_month=2025-01&end_month=2025-02")
    page.get_by_role("link", name="Last month").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{shared.url}/dashboard?{JANUARY}")
    page.locator("summary", has_text="Export").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Months and keys, CSV")).to_be_focused()
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_every_page_can_be_used_by_everybody(page: Page, shared: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """axe-core finds nothing, in light and in dark, and nothing sticks out on a phone."""
    breaches: list[str] = []
    page.emulate_media(reduced_motion="reduce")  # colours that are on their way to others are not judged
    shared.ledger.budgets.set("acme", amount=1, thresholds=range(10, 160, 10))
    shared.ledger.budgets.set("acme", "some api key", amount="123456789.12")

    def look(path: str) -> None:
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"/dashboard{path}")
        expect(page.locator("figure[data-state=waiting]")).to_have_count(0)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = accessibility_breaches(page, colours_alone=scheme == "dark")
            breaches.extend(f"{path} {scheme} {each}" for each in found)
        page.set_viewport_size({"width": 320, "height": 640})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            breaches.append(f"{path} is {width} wide on a phone")

    look("/sign-in")
    monkeypatch.setattr(shared.clock, "now", shared.clock.now + timedelta(days=7))
    sign_in(page, shared.token("usage", "acme"))
    look("/statements")
    shared.ledger.statements.close("2025-01", "acme")
    for path in CUSTOMER_PAGES:
        look(path)
    page.goto("/dashboard")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, shared.token("admin"))
    endpoint = shared.ledger.webhooks.create("https://hooks.example/", account="acme").endpoint.id
    notice = shared.ledger.webhooks.test(endpoint).notice
    webhook = f"/accounts/acme/alerts/webhooks/{endpoint}"
    for path in (*PROVIDER_PAGES, webhook, f"{webhook}/{notice}"):
        look(path)
    assert not breaches, "\n".join(["", *breaches])


def test_a_statement_is_found_printed_and_taken_along_by_keyboard(
    page: Page, shared: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.clock, "now", shared.clock.now + timedelta(days=7))
    shared.ledger.statements.close("2025-01", "acme")
    sign_in(page, shared.token("usage", "acme"))
    page.get_by_role("link", name="Statements").press("Enter")
    row = page.locator("#statements tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("108")
    with page.expect_download() as download:
        row.get_by_role("link", name="2025-01.json").press("Enter")
    stored = shared.ledger.statements.get("acme", "2025-01")
    assert download.value.path().read_bytes() == stored.document
    row.get_by_role("link", name="Jan 2025").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Statement, January 2025")
    expect(page.locator("body")).to_contain_text(stored.signature)


def test_a_manager_sets_a_budget_by_keyboard_corrects_it_and_removes_it(page: Page, shared: Service) -> None:
    account = shared.account()
    sign_in(page, shared.token("manage", account))
    page.get_by_role("link", name="Alerts").click()
    page.get_by_label("USD a month").fill("12,50")
    page.keyboard.press("Tab")
    page.keyboard.type("25, 100, 120")
    # The page of a refused form is an answer of 400, which a browser counts as an error of the page.
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("is not a decimal number")
    expect(page.get_by_label("Tell at, in percent")).to_have_value("25, 100, 120")
    page.get_by_label("USD a month").fill("12.50")
    page.get_by_role("button", name="Set budget").click()
    row = page.locator("#budgets tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Whole account")
    expect(row.locator(".tag")).to_have_text(["25 %", "100 %", "120 %"])
    page.get_by_role("button", name="Remove the budget of Whole account").click()
    expect(page.locator("#budgets")).to_contain_text("No budgets yet")
