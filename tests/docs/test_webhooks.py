"""The receivers in the documentation run, take what the server sends, and refuse what it did not."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import pytest
from standardwebhooks import Webhook

from tallystick.ledger import Ledger
from tallystick.settings import Settings
from tallystick.webhooks import telling

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGE: Final = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECONDS: Final = 60
RUN: Final = {
    "FastAPI": ["-m", "uvicorn", "receiver:app", "--log-level", "warning", "--port"],
    "Flask": ["-m", "flask", "--app", "receiver", "run", "--port"],
}


def example(framework: str) -> str:
    """The receiver that is shown for a framework."""
    found = re.search(rf"^With {framework}:\n\n```python[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"there is no receiver for {framework}"
    return found[1]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def receiver(framework: str, folder: Path, port: int, secret: str) -> Iterator[Path]:
    """The documented receiver in a process of its own; gives the file to which it prints."""
    (folder / "receiver.py").write_text(example(framework))
    printed = folder / "printed"
    command = [sys.executable, *RUN[framework], str(port)]
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PYTHONPATH": str(folder)}
    with printed.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: answers(port), printed)
            yield printed
        finally:
            process.terminate()
            process.wait(SECONDS)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 404
    except httpx.TransportError:
        return False


def wait_for(holds: object, printed: Path) -> None:
    assert callable(holds)
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, printed.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("framework", RUN)
def test_the_documented_receiver_takes_what_is_sent_and_nothing_else(framework: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/tallystick"
    settings = Settings(webhook_networks="127.0.0.0/8")
    with Ledger(f"sqlite:///{tmp_path}/tallystick.db", settings=settings) as ledger:
        ledger.plans.ensure_default("standard")
        ledger.accounts.create("acme")
        made = ledger.webhooks.create(url, account="acme")
        with receiver(framework, tmp_path, port, made.secret) as printed, telling(ledger):
            sent = ledger.webhooks.test(made.endpoint.id)
            wait_for(lambda: "webhook.test WebhookTest(account='acme'" in printed.read_text(), printed)
            forged = httpx.post(url, json={"type": "tier.reached", "data": {}}, headers={"webhook-id": "ntc_1"})
            assert forged.status_code == 400
            # The same once more: taken, and done once.
            ledger.webhooks.replay(made.endpoint.id, sent.notice)
            wait_for(lambda: ledger.webhooks.delivery(made.endpoint.id, sent.notice).delivery.attempts == 2, printed)
            assert printed.read_text().count("webhook.test") == 1
        assert [one.state for one in ledger.webhooks.deliveries(made.endpoint.id).deliveries] == ["delivered"]


def test_the_shown_request_is_signed_with_the_secret_that_is_shown() -> None:
    (request,) = re.findall(r"^```http\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    head, _, body = request.partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    (secret,) = re.findall(r"`(whsec_[^`…]+)`", PAGE)
    sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(headers["webhook-id"], sent_at, body.rstrip("\n"))
    assert headers["webhook-signature"] == signature
