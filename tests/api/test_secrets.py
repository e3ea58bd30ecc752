"""Nothing of a token appears in logs, answers or the database, wherever in a request it stood."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.model.tokens import make_token
from tallystick.striking import StrikeTokens, strike_path
from tests.api.service import LINES, Records, Service, job
from tests.api.test_edge import access_lines

TOKEN = make_token(bytes(range(32)))
SECRET = TOKEN.removeprefix("tally_")
ESCAPED = "tally\\u005f" + SECRET
PARTLY_ESCAPED = "tally_" + "".join(f"\\u{ord(letter):04x}" if at % 2 else letter for at, letter in enumerate(SECRET))
ENCODED = "".join(f"%{byte:02X}" for byte in TOKEN.encode())


def raw(service: Service, body: str, kind: str = "application/json") -> httpx.Response:
    return service.post_jobs(body.encode(), kind=kind)


def written(place: str, token: str = TOKEN, **changes: Any) -> str:
    """A job as text with the token in one place."""
    whole = json.dumps(job("acme", **changes))
    return whole.replace('"HERE"', json.dumps(place).replace("TOKEN", token))


PLACES: dict[str, Callable[[Service], httpx.Response]] = {
    "an unknown path": lambda s: s.call("GET", f"/{TOKEN}"),
    "an unknown path, encoded": lambda s: s.client.get(f"{s.url}/x/{ENCODED}"),
    "an unknown path, encoded twice": lambda s: s.client.get(f"{s.url}/{ENCODED.replace('%', '%25')}"),
    "an unknown path, without its prefix": lambda s: s.call("GET", f"/{SECRET}"),
    "an unknown path, in other text": lambda s: s.call("GET", f"/x{TOKEN}y/z"),
    "the name of an account": lambda s: s.admin("GET", f"/accounts/{TOKEN}"),
    "the name of an account to be changed": lambda s: s.admin("PATCH", f"/accounts/{TOKEN}", json={}),
    "the name of an account with keys": lambda s: s.admin("GET", f"/accounts/{TOKEN}/keys"),
    "the name of a key": lambda s: s.admin("PATCH", f"/accounts/acme/keys/{TOKEN}", json={"revoked": True}),
    "the id of a token": lambda s: s.admin("DELETE", f"/tokens/{TOKEN}"),
    "the name of a plan": lambda s: s.admin("GET", f"/plans/{TOKEN}"),
    "the name of a new plan": lambda s: s.admin("PUT", f"/plans/{TOKEN}", json={"currency": "USD", "meters": []}),
    "an asset": lambda s: s.call("GET", f"/docs/{TOKEN}"),
    "the value of a parameter": lambda s: s.admin("GET", "/usage", params={"account": TOKEN}),
    "the value of a month": lambda s: s.admin("GET", "/usage", params={"account": "acme", "start_month": TOKEN}),
    "the value of a limit": lambda s: s.admin("GET", "/accounts", params={"limit": TOKEN}),
    "the value of a cursor": lambda s: s.admin("GET", "/quarantine", params={"cursor": TOKEN}),
    "the name of a parameter": lambda s: s.admin("GET", "/usage", params={TOKEN: "x"}),
    "the name of a parameter, later": lambda s: s.admin("GET", "/usage", params={"x" * 30 + TOKEN: "x"}),
    "a query without authority": lambda s: s.call("GET", "/usage", params={"token": TOKEN}),
    "a query of an open path": lambda s: s.call("GET", "/healthz", params={"token": TOKEN}),
    "Authorization": lambda s: s.call("GET", "/usage", token=TOKEN),
    "Authorization, of another scheme": lambda s: s.call("GET", "/usage", headers={"Authorization": f"Token {TOKEN}"}),
    "Authorization, alone": lambda s: s.call("GET", "/usage", headers={"Authorization": TOKEN}),
    "X-Api-Key": lambda s: s.call("GET", "/usage", headers={"X-Api-Key": TOKEN}),
    "both headers": lambda s: s.admin("GET", "/usage", headers={"X-Api-Key": TOKEN}),
    "X-Request-Id": lambda s: s.call("GET", "/usage", headers={"X-Request-Id": TOKEN}),
    "X-Request-Id, in other text": lambda s: s.call("GET", "/usage", headers={"X-Request-Id": f"a-{TOKEN}-b"}),
    "Host": lambda s: s.call("GET", "/usage", headers={"Host": f"{TOKEN}\\"}),
    "User-Agent": lambda s: s.call("GET", "/usage", headers={"User-Agent": TOKEN}),
    "a cookie": lambda s: s.call("GET", "/usage", headers={"Cookie": f"token={TOKEN}"}),
    "If-None-Match": lambda s: s.admin("GET", "/plans", headers={"If-None-Match": TOKEN}),
    "Content-Type": lambda s: s.post_jobs(job(), kind=TOKEN),
    "a charset": lambda s: s.post_jobs(job(), kind=f"application/json; charset={TOKEN}"),
    "Content-Encoding": lambda s: s.post_jobs(job(), headers={"Content-Encoding": TOKEN}),
    "the name of a header": lambda s: s.call("GET", "/usage", headers={f"X-{TOKEN}": "x"}),
    "a job's id": lambda s: s.post_jobs(job(id=TOKEN)),
    "a job's id, in other text": lambda s: s.post_jobs(job(id=f"run {TOKEN}!")),
    "a job's account": lambda s: s.post_jobs(job(TOKEN)),
    "a job's key": lambda s: s.post_jobs(job(api_key=TOKEN)),
    "a job's time": lambda s: s.post_jobs(job(completed_at=TOKEN)),
    "a job's meter": lambda s: s.post_jobs(job(tokens={TOKEN: 1})),
    "a job's count": lambda s: s.post_jobs(job(tokens={"transcription": TOKEN})),
    "a job's meter and count": lambda s: s.post_jobs(job(tokens={TOKEN: TOKEN})),
    "a job's sandbox": lambda s: s.post_jobs(job(sandbox=TOKEN)),
    "a job's unknown member": lambda s: s.post_jobs(job(**{TOKEN: 1})),
    "a job's unknown value": lambda s: s.post_jobs(job(note=TOKEN)),
    "an item": lambda s: s.post_jobs([TOKEN, [TOKEN], {TOKEN: TOKEN}]),
    "a job of a future": lambda s: s.post_jobs(job(api_key="k", completed_at="2030-01-01T00:00:00Z", id=f"{TOKEN} ")),
    "a line": lambda s: raw(s, f"{TOKEN}\n{{{TOKEN}\n", LINES),
    "a broken line": lambda s: raw(s, f'{{"id": "{TOKEN}", ', LINES),
    "a line that is not UTF-8": lambda s: s.post_jobs(TOKEN.encode() + b'"\xff"', kind=LINES),
    "a whole body": lambda s: raw(s, TOKEN),
    "a broken body": lambda s: raw(s, f'[{{"id": "{TOKEN}"'),
    "an id with an escape": lambda s: raw(s, written("TOKEN", ESCAPED, id="HERE").replace("\\\\", "\\")),
    "a bad job's id with an escape": lambda s: raw(
        s, written("TOKEN", ESCAPED, id="HERE", tokens=5).replace("\\\\", "\\")
    ),
    "a bad line's id with an escape": lambda s: raw(
        s, written("TOKEN", ESCAPED, id="HERE", tokens=5).replace("\\\\", "\\"), LINES
    ),
    "a bad job's id with many escapes": lambda s: raw(
        s, written("TOKEN", PARTLY_ESCAPED, id="HERE", tokens=5).replace("\\\\", "\\")
    ),
    "a broken line with an escape": lambda s: raw(s, f'{{"id": "{ESCAPED}", ', LINES),
    "a zipped body": lambda s: s.post_jobs(
        gzip.compress(json.dumps(job(id=TOKEN, tokens=5)).encode()), headers={"Content-Encoding": "gzip"}
    ),
    "a new account's name": lambda s: s.admin("POST", "/accounts", json={"name": TOKEN}),
    "a new account's zone": lambda s: s.admin("POST", "/accounts", json={"name": "a", "time_zone": TOKEN}),
    "a new account's plan": lambda s: s.admin("POST", "/accounts", json={"name": "a", "plan": TOKEN}),
    "a new account's unknown member": lambda s: s.admin("POST", "/accounts", json={"name": "a", TOKEN: 1}),
    "an account's month": lambda s: s.admin("PATCH", "/accounts/acme", json={"plan": "standard", "plan_from": TOKEN}),
    "a new key's name": lambda s: s.admin("POST", "/accounts/acme/keys", json={"name": TOKEN}),
    "a new key's kind": lambda s: s.admin("POST", "/accounts/acme/keys", json={"name": "k", "kind": TOKEN}),
    "a new token's scope": lambda s: s.admin("POST", "/tokens", json={"scope": TOKEN}),
    "a new token's label": lambda s: s.admin("POST", "/tokens", json={"scope": "ingest", "label": TOKEN}),
    "a new token's account": lambda s: s.admin("POST", "/tokens", json={"scope": "usage", "account": TOKEN}),
    "a new token's expiry": lambda s: s.admin("POST", "/tokens", json={"scope": "ingest", "expires_at": TOKEN}),
    "a plan's text": lambda s: s.admin("PUT", "/plans/p", content=TOKEN, headers={"Content-Type": "application/toml"}),
    "a plan's broken text": lambda s: s.admin(
        "PUT", "/plans/p", content=f'name = "{TOKEN}', headers={"Content-Type": "application/toml"}
    ),
    "a plan's key": lambda s: s.admin("PUT", "/plans/p", json={"currency": "USD", TOKEN: 1}),
    "a plan's meter": lambda s: s.admin(
        "PUT", "/plans/p", json={"currency": "USD", "meters": [{"id": TOKEN, "report_as": TOKEN, "price": TOKEN}]}
    ),
    "a plan's currency": lambda s: s.admin("PUT", "/plans/p", json={"currency": TOKEN}),
    "an id to replay": lambda s: s.admin("POST", "/quarantine/replay", json={"ids": [TOKEN]}),
}


def stored(folder: Path) -> bytes:
    """The bytes of the database and everything beside it."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


@pytest.mark.parametrize("place", PLACES)
def test_a_token_is_nowhere_to_be_found_afterwards(shared: Service, log: Records, place: str) -> None:
    shared.account()
    response = PLACES[place](shared)
    assert response.status_code < 500, response.text
    listed = shared.admin("GET", "/quarantine", params={"limit": "1000"})
    told = response.text + str(response.headers) + listed.text
    for secret in (SECRET, SECRET[:40], ENCODED[18:], PARTLY_ESCAPED[6:], SECRET[8:40]):
        assert secret not in told
        assert secret not in log.text
        assert secret.encode() not in stored(shared.folder)


def test_a_good_token_is_not_stored_or_logged_by_being_used(fresh: Service, log: Records) -> None:
    tokens = [fresh.token("admin"), fresh.token("ingest")]
    made = fresh.admin("POST", "/tokens", json={"scope": "ingest"}).json()
    tokens.append(made["token"])
    tokens.append(fresh.admin("POST", f"/tokens/{made['id']}/rotate").json()["token"])
    fresh.post_jobs([job(), {}])
    for token in tokens:
        secret = token.removeprefix("tally_")
        assert secret not in log.text
        assert secret.encode() not in stored(fresh.folder)
    assert [line for line in access_lines(log, 3) if line.startswith("POST /tokens/{id}/rotate 201")]


def test_the_filter_strikes_messages_arguments_tracebacks_and_stacks() -> None:
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    logger = logging.getLogger("tests.the_filter")
    logger.setLevel(logging.INFO)
    handler = Keep()
    handler.addFilter(StrikeTokens())
    logger.addHandler(handler)
    logger.info("a %s b", TOKEN)
    logger.info("no arguments: 100%")
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logger.exception("it failed with %(token)s", {"token": TOKEN}, stack_info=True)
    assert records[0] == "a tally_… b"
    assert records[1] == "no arguments: 100%"
    assert "ValueError: tally_…" in records[2]
    assert "it failed with tally_…" in records[2]
    assert SECRET not in "".join(records)


@pytest.mark.parametrize("path", [f"/{TOKEN}", f"/a{TOKEN}b", f"/{SECRET}", f"/tally%5F{SECRET}", "/" + "x" * 40])
def test_a_path_is_logged_without_anything_as_long_as_a_secret(path: str) -> None:
    assert SECRET[:40] not in strike_path(path)
    assert "x" * 40 not in strike_path(path)


def test_an_ordinary_path_is_logged_as_it_is() -> None:
    assert strike_path("/accounts/0123456789abcdef/keys") == "/accounts/0123456789abcdef/keys"
