"""One attempt over a real connection: what arrives, what counts as a success, and where nothing is ever sent."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tallystick.ledger.clock import now_in_microseconds
from tallystick.ledger.deliveries import Task
from tallystick.ledger.targets import Targets, networks_from
from tallystick.store.webhooks import DeliveryRow
from tallystick.webhooks.connecting import LookUp, look_up
from tallystick.webhooks.sending import Answer, sender
from tests.webhooks.receiver import Receiver, closed_port, receiving

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = Targets(networks_from("127.0.0.0/8", "THE_SETTING"))
BODY = '{"type":"webhook.test","timestamp":"2025-06-15T12:00:00Z","data":{"account":"Müller","webhook":"whe_1"}}'


def task(url: str, *secrets: str) -> Task:
    row = DeliveryRow(1, "whe_1", "ntc_1", 1, "webhook.test", 0, 0, 0, 0, 0)
    return Task(row, url, secrets or (SECRET,), BODY)


def send(
    url: str,
    *,
    targets: Targets = LOOPBACK,
    seconds: float = 5.0,
    tls: ssl.SSLContext | None = None,
    names: LookUp = look_up,
    times: int = 1,
    secrets: Sequence[str] = (),
) -> Answer:
    """The answer to the last of some attempts over the same connections."""

    async def run() -> Answer:
        answer = Answer(None, None)
        async with sender(targets, tls=tls, look_up=names) as sends:
            for _ in range(times):
                answer = await sends.send(task(url, *secrets), now_in_microseconds(), seconds)
        return answer

    return asyncio.run(run())


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def test_what_arrives_is_signed_for_the_official_verifier(receiver: Receiver) -> None:
    other = "whsec_" + "A" * 44
    assert send(f"{receiver.url}/ok?x=%2F&y=1", secrets=(SECRET, other)) == Answer(204, None)
    arrived = receiver.received[-1]
    assert arrived.path == "/ok?x=%2F&y=1"
    assert arrived.body == BODY.encode()
    for secret in (SECRET, other):
        assert arrived.verified(secret)["data"]["account"] == "Müller"
    assert arrived.headers["content-type"] == "application/json"
    assert arrived.headers["host"] == receiver.url.removeprefix("http://")
    assert arrived.headers["user-agent"].startswith("tallystick-webhooks/")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_status_from_200_to_299_is_a_success(receiver: Receiver, status: int) -> None:
    assert send(f"{receiver.url}/{status}") == Answer(status, None)


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410, 429, 500, 503])
def test_every_other_status_is_none(receiver: Receiver, status: int) -> None:
    answer = send(f"{receiver.url}/{status}")
    assert answer.status == status
    assert answer.error


@pytest.mark.parametrize("behaviour", ["redirect", "see-other"])
def test_a_redirect_is_never_followed(receiver: Receiver, behaviour: str) -> None:
    answer = send(f"{receiver.url}/{behaviour}")
    assert answer.error == "a redirect, which is not followed"
    assert not any("followed" in one.path for one in receiver.received)


@pytest.mark.parametrize("behaviour", ["hang", "dripping"])
def test_an_attempt_gives_up_in_time_whatever_trickles_in(receiver: Receiver, behaviour: str) -> None:
    started = time.monotonic()
    assert send(f"{receiver.url}/{behaviour}", seconds=0.3) == Answer(None, "no answer within 0.3 seconds")
    assert time.monotonic() - started < 3


def test_an_answer_without_end_is_not_read_to_its_end_and_counts(receiver: Receiver) -> None:
    started = time.monotonic()
    assert send(f"{receiver.url}/endless") == Answer(200, None)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("behaviour", ["hang-up", "nonsense", "flood"])
def test_what_is_no_answer_is_a_failure(receiver: Receiver, behaviour: str) -> None:
    answer = send(f"{receiver.url}/{behaviour}")
    assert answer.status is None
    assert answer.error


def test_a_receiver_that_is_not_there_is_a_failure() -> None:
    with closed_port() as url:
        answer = send(url)
    assert answer.status is None
    assert answer.error


def test_a_name_that_is_none_is_a_failure() -> None:
    def nothing(host: str, port: int) -> Sequence[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    answer = send("https://no.such.name.example/", names=nothing)
    assert answer == Answer(None, "the name cannot be resolved: [Errno -2] Name or service not known")


def test_connections_are_used_again(receiver: Receiver) -> None:
    looked_up: list[str] = []

    def counting(host: str, port: int) -> Sequence[Any]:
        looked_up.append(host)
        return look_up(host, port)

    send(f"{receiver.url}/ok", times=5, names=counting)
    assert len(looked_up) == 1


@pytest.mark.parametrize(("most", "times_connected"), [(1, 3), (2, 2)])
def test_connections_are_kept_to_so_many_places_and_closed_where_one_was_used_longest_ago(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, most: int, times_connected: int
) -> None:
    monkeypatch.setattr("tallystick.webhooks.sending.MOST_PLACES", most)
    port = receiver.url.rpartition(":")[2]
    names = Names(["127.0.0.1"])

    async def run() -> None:
        async with sender(LOOPBACK, look_up=names) as sends:
            for host in ("one.example", "two.example", "one.example"):
                sent = await sends.send(task(f"http://{host}:{port}/ok"), now_in_microseconds(), 5.0)
                assert sent == Answer(204, None)

    asyncio.run(run())
    assert len(names.asked) == times_connected


def test_of_connections_to_a_place_a_few_are_kept(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallystick.webhooks.sending.KEPT_OPEN", 2)
    names = Names(["127.0.0.1"])
    port = receiver.url.rpartition(":")[2]

    async def run() -> None:
        async with sender(LOOPBACK, look_up=names) as sends:
            for _ in range(2):
                slow = task(f"http://hooks.example:{port}/slow")
                attempts = [sends.send(slow, now_in_microseconds(), 5.0) for _ in range(5)]
                assert set(await asyncio.gather(*attempts)) == {Answer(200, None)}

    asyncio.run(run())
    assert len(names.asked) == 5 + 3


@pytest.mark.parametrize(("age_seconds", "behaviour"), [(0.05, "ok"), (30.0, "goodbye")])
def test_a_connection_that_is_too_old_or_that_was_hung_up_is_not_used_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, age_seconds: float, behaviour: str
) -> None:
    monkeypatch.setattr("tallystick.webhooks.sending.KEPT_SECONDS", age_seconds)
    names = Names(["127.0.0.1"])
    url = f"http://hooks.example:{receiver.url.rpartition(':')[2]}/{behaviour}"

    async def run() -> None:
        async with sender(LOOPBACK, look_up=names) as sends:
            for _ in range(3):
                assert await sends.send(task(url), now_in_microseconds(), 5.0) == Answer(204, None)
                await asyncio.sleep(0.2)

    asyncio.run(run())
    assert len(names.asked) == 3


# Where nothing is sent


class Names:
    """A resolver that gives other addresses each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[Any]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [_entry(address, port) for address in addresses]


def _entry(address: str, port: int) -> Any:
    if ipaddress.ip_address(address).version == 6:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))


REFUSED = Answer(None, "the name leads to an address that is not public, nor allowed by the setting webhook_networks")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "168.63.129.16"),
        *(
            "::1",
            "::",
            "fe80::1",
            "fe80::1%lo",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ),
    ],
)
def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(receiver: Receiver, address: str) -> None:
    before = len(receiver.received)
    port = receiver.url.rpartition(":")[2]
    assert send(f"http://hooks.example:{port}/ok", targets=Targets(), names=Names([address])) == REFUSED
    assert len(receiver.received) == before


def test_a_name_with_one_inner_address_among_others_is_refused() -> None:
    names = Names(["93.184.216.34", "10.0.0.1"])
    assert send("http://hooks.example/", targets=Targets(), names=names) == REFUSED


def test_forms_that_the_resolver_understands_are_judged_by_what_they_mean() -> None:
    """The system's resolver reads them all as 127.0.0.1; past the check of the URL they are refused here."""
    for host in ("2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.1", "localhost"):
        assert send(f"http://{host}:9/", targets=Targets()) == REFUSED, host
    assert send("http://0177.0.0.1:9/", targets=Targets()).status is None


def test_a_name_that_changes_between_look_ups_is_looked_up_once_and_that_is_connected_to(receiver: Receiver) -> None:
    """The first look-up is judged and used; the second, which would lead elsewhere, never happens."""
    port = receiver.url.rpartition(":")[2]
    names = Names(["127.0.0.1"], ["127.66.66.66"])
    only_this_one = Targets(networks_from("127.0.0.1/32", "THE_SETTING"))
    assert send(f"http://hooks.example:{port}/ok", targets=only_this_one, names=names) == Answer(204, None)
    assert names.asked == ["hooks.example"]
    assert receiver.received[-1].headers["host"] == f"hooks.example:{port}"


def test_a_name_that_turns_inward_later_is_refused_then(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    names = Names(["127.0.0.1"], ["127.66.66.66"])
    only_this_one = Targets(networks_from("127.0.0.1/32", "THE_SETTING"))
    url = f"http://hooks.example:{port}/hang-up"  # so that the connection cannot be used again
    assert send(url, targets=only_this_one, names=names, times=2) == REFUSED


def test_the_next_address_is_tried_where_one_does_not_answer(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    names = Names(["127.0.0.2", "127.0.0.1"])  # the receiver listens at the second one alone
    assert send(f"http://hooks.example:{port}/ok", names=names) == Answer(204, None)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a receiver named hooks.example shows, and what trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = _self_signed("hooks.example")
    (folder / "key.pem").write_bytes(key)
    (folder / "certificate.pem").write_bytes(certificate)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "certificate.pem"))


def _self_signed(name: str) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def test_tls_is_verified_against_the_name_and_not_the_address(
    authority: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    shown, trusted = authority
    with receiving(tls=shown) as receiver:
        port = receiver.url.rpartition(":")[2]
        names = Names(["127.0.0.1"])
        assert send(f"https://hooks.example:{port}/ok", tls=trusted, names=names) == Answer(204, None)
        for url, tls in (
            (f"https://other.example:{port}/ok", trusted),
            (f"https://127.0.0.1:{port}/ok", trusted),
            (f"https://hooks.example:{port}/ok", None),
        ):
            answer = send(url, tls=tls, names=names)
            assert answer.status is None
            assert "certificate verify failed" in (answer.error or "")
        assert len(receiver.received) == 1
