"""The application inside another one: FastAPI serves its own routes and, below a path, everything of ours."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from tallystick import Client, Ledger, create_app
from tallystick.demo.scenario import january_jobs, january_report

JANUARY = {"start_month": "2025-01", "end_month": "2025-01"}


@contextmanager
def served(app: Any, **options: Any) -> Iterator[str]:
    """An application behind uvicorn, on a free port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, **options))
    started = threading.Event()
    listening: list[int] = []
    begin = server.startup

    async def startup(*arguments: Any, **named: Any) -> None:
        await begin(*arguments, **named)
        listening.append(server.servers[0].sockets[0].getsockname()[1])
        started.set()

    server.startup = startup  # type: ignore[method-assign]  # uvicorn tells nobody that it listens
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30)
        yield f"http://127.0.0.1:{listening[0]}"
    finally:
        server.should_exit = True
        thread.join(30)


@dataclass(frozen=True)
class Host:
    """A FastAPI application that has ours below ``/our apps/billing``."""

    url: str
    ledger: Ledger

    @property
    def mounted(self) -> str:
        return f"{self.url}/our%20apps/billing"

    def get(self, path: str, **given: Any) -> httpx.Response:
        token = self.ledger.tokens.create("admin").token
        return httpx.get(f"{self.mounted}{path}", headers={"Authorization": f"Bearer {token}"}, **given)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    database = tmp_path_factory.mktemp("mounted") / "tally.db"
    with Ledger(f"sqlite:///{database}") as ledger:
        ledger.record(january_jobs())
        app = FastAPI()

        @app.get("/hello")
        def hello() -> dict[str, str]:
            return {"from": "the host"}

        app.mount("/our apps/billing", create_app(ledger))
        with served(app) as url:
            yield Host(url, ledger)


def test_the_host_keeps_its_own_routes(host: Host) -> None:
    assert httpx.get(f"{host.url}/hello").json() == {"from": "the host"}
    assert httpx.get(f"{host.url}/usage").status_code == 404
    assert httpx.get(f"{host.mounted}/hello").json()["code"] == "not_found"


def test_the_sdk_reads_the_contracts_month_below_the_mount(host: Host) -> None:
    token = host.ledger.tokens.create("usage", account="acme").token
    with Client(base_url=host.mounted, token=token) as client:
        assert client.usage.get("2025-01", "2025-01").to_json(indent=2) == january_report().rstrip()
        assert len(list(client.jobs.iter("2025-01", "2025-01"))) == 108
        assert b"".join(client.jobs.download("2025-01", "2025-01")).count(b"\n") == 109


@pytest.mark.parametrize("name", ["our apps", "billing", "a/b", "/our apps/billing/usage", "Zürich"])
def test_names_in_paths_are_never_taken_for_the_mount(host: Host, name: str) -> None:
    token = host.ledger.tokens.create("admin").token
    headers = {"Authorization": f"Bearer {token}"}
    made = httpx.post(f"{host.mounted}/accounts", headers=headers, json={"name": name})
    location = made.headers["location"]
    assert location.startswith("/our%20apps/billing/accounts/")
    assert httpx.get(f"{host.url}{location}", headers=headers).json()["name"] == name


def test_the_description_and_its_page_name_their_place(host: Host) -> None:
    assert host.get("/openapi.json").json()["servers"] == [{"url": "/our%20apps/billing"}]
    page = host.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 4
    for address in addresses:
        assert httpx.get(f"{host.url}{address}").status_code == 200, address
    assert 'url: "/our%20apps/billing/openapi.json"' in host.get("/docs/start.js").text


def test_the_pages_link_below_the_mount_and_a_customer_signs_in(host: Host) -> None:
    with httpx.Client(base_url=host.mounted, follow_redirects=True, timeout=30) as browser:
        form = browser.get("/dashboard").text
        (form_token,) = re.findall(r'name="form_token" value="([0-9a-f]{64})"', form)
        usage = host.ledger.tokens.create("usage", account="acme").token
        fields = {"form_token": form_token, "token": usage}
        assert browser.post("/dashboard/sign-in", data=fields).status_code == 200
        page = browser.get("/dashboard", params=JANUARY)
        assert "0.07592" in page.text
        addresses = set(re.findall(r'(?:src|href|action)="(/[^"]*)"', form + page.text))
        assert len(addresses) > 10
        assert all(address.startswith("/our%20apps/billing/dashboard") for address in addresses), addresses
        for address in addresses:
            answered = browser.get(f"{host.url}{html.unescape(address)}")
            assert answered.status_code in {200, 405}, address


def test_a_proxy_that_names_its_path_gets_the_same_addresses(host: Host) -> None:
    """What uvicorn is told with ``--root-path`` reaches the links as a mount does."""
    with served(create_app(host.ledger), root_path="/meter") as url:
        assert httpx.get(f"{url}/openapi.json").json()["servers"] == [{"url": "/meter"}]
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
