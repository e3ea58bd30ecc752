"""Where webhooks may not go: every known disguise of an inner address, as a URL and as an address."""

from __future__ import annotations

import ipaddress

import pytest

from tallystick.errors import InvalidInput
from tallystick.ledger.targets import Targets, networks_from

PUBLIC = Targets()
DEVELOPMENT = Targets(networks_from("127.0.0.0/8, ::1/128", "THE_SETTING"))
INTRANET = Targets(networks_from("10.1.0.0/16", "THE_SETTING"))

INNER = [
    *("127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("0.0.0.0", "0.1.2.3", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::127.0.0.1", "::10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::7f00:1"),
    "2001:0:a00:1:0:0:80ff:fffe",
]
OUTER = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", INNER)
def test_an_inner_address_is_refused(address: str) -> None:
    assert not PUBLIC.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTER)
def test_a_public_address_is_allowed(address: str) -> None:
    assert PUBLIC.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("64:ff9b::10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.2.0.1", False),
        ("127.0.0.1", False),
        ("8.8.8.8", True),
    ],
)
def test_a_setting_allows_the_networks_that_it_names_and_no_others(address: str, allowed: bool) -> None:
    assert INTRANET.allows(ipaddress.ip_address(address)) is allowed


FORGED = {
    "decimal": "https://2130706433/",
    "octal": "https://0177.0.0.1/",
    "octal in one": "https://017700000001/",
    "hexadecimal": "https://0x7f.0.0.1/",
    "hexadecimal in one": "https://0x7f000001/",
    "short": "https://127.1/",
    "mixed": "https://0x7f.1/",
    "zero": "https://0/",
    "with a dot at its end": "https://127.0.0.1./",
    "metadata in decimal": "https://2852039166/latest/meta-data/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata's name": "https://metadata.google.internal/computeMetadata/v1/",
    "metadata's name, in capitals": "https://METADATA.google.internal/",
    "metadata's name with a dot at its end": "https://metadata.google.internal./",
    "metadata's short name": "https://metadata/",
    "instance data": "https://instance-data/latest/",
    "Azure's": "https://168.63.129.16/machine/",
    "loopback": "https://127.0.0.1:8000/accounts",
    "localhost": "https://localhost/",
    "a name below localhost": "https://anything.localhost/",
    "private": "https://10.0.0.1/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv6 mapped": "https://[::ffff:127.0.0.1]/",
    "IPv6 mapped in hexadecimal": "https://[::ffff:7f00:1]/",
    "IPv6 mapped metadata": "https://[::ffff:a9fe:a9fe]/",
    "IPv6 of EC2": "https://[fd00:ec2::254]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "unspecified": "https://0.0.0.0/",
    "IPv6 link-local with a zone": "https://[fe80::1%25eth0]/",
    "IPv6 loopback with a zone": "https://[::1%25lo]/",
    "IPv6 with a zone that is not encoded": "https://[fe80::1%eth0]/",
    "IPv6 of NAT64": "https://[64:ff9b::7f00:1]/",
    "IPv6 of NAT64, to the metadata": "https://[64:ff9b::a9fe:a9fe]/",
    "IPv6 of 6to4": "https://[2002:7f00:1::]/",
    "IPv6 compatible": "https://[::127.0.0.1]/",
    "IPv6, written out": "https://[0000:0000:0000:0000:0000:ffff:7f00:0001]/",
    "a user": "https://somebody@hooks.example/",
    "a user and a password": "https://somebody:secret@hooks.example/",
    "an empty user": "https://@127.0.0.1/",
    "localhost with a dot at its end": "https://localhost./",
    "localhost in capitals": "https://LOCALHOST/",
    "localhost in full-width letters": "https://ｌocalhost/",
    "localhost in full-width letters, percent-encoded": "https://%EF%BD%8Cocalhost/",
    "localhost with a soft hyphen": "https://local\u00adhost/",
    "a name that is not ASCII": "https://müller.example/",
    "hexadecimal without digits": "https://0x/",
    "octal with a dot at its end": "https://0177.0.0.1./",
    "more than an address holds": "https://4294967297/",
    "two dots": "https://127.0.0.1../",
    "full-width digits": "https://①②⑦.⓪.⓪.①/",
    "an ideographic full stop": "https://127。0。0。1/",
    "percent-encoded": "https://%31%32%37.0.0.1/",
    "a user that looks like a host": "https://hooks.example@127.0.0.1/",
    "a host that looks like a user": "https://127.0.0.1@hooks.example/",
    "a backslash": "https://hooks.example\\@127.0.0.1/",
    "a tab in the host": "https://127.0\t.0.1/",
    "a line break": "https://hooks.example/\r\nX-Injected: 1",
    "a NUL": "https://hooks.example\0.127.0.0.1/",
    "http": "http://hooks.example/",
    "ftp": "ftp://hooks.example/",
    "file": "file" + ":///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "without a scheme": "hooks.example/path",
    "without a host": "https:///path",
    "with a fragment": "https://hooks.example/#part",
    "a port that does not exist": "https://hooks.example:99999/",
    "port 0": "https://hooks.example:0/",
    "nothing": "",
    "far too long": "https://hooks.example/" + "x" * 2000,
}


@pytest.mark.parametrize("url", FORGED.values(), ids=FORGED)
def test_a_forged_url_is_refused_when_the_endpoint_is_made(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        PUBLIC.check_url(url)
    assert [error.parameter for error in caught.value.errors] == ["url"]


WHERE = "webhooks go to public addresses, and to networks that the server's setting webhook_networks names"
REASONS = [
    (PUBLIC, "https://0177.0.0.1/", f"leads to 127.0.0.1, a loopback address, for which 0177.0.0.1 stands; {WHERE}"),
    (PUBLIC, "https://2130706433/", f"leads to 127.0.0.1, a loopback address, for which 2130706433 stands; {WHERE}"),
    (PUBLIC, "https://0x7f.1/", f"leads to 127.0.0.1, a loopback address, for which 0x7f.1 stands; {WHERE}"),
    (
        PUBLIC,
        "https://2852039166/latest/?key=hidden",
        f"leads to 169.254.169.254, a link-local address, for which 2852039166 stands; {WHERE}",
    ),
    (PUBLIC, "https://0/", f"leads to 0.0.0.0, a private address, for which 0 stands; {WHERE}"),
    (
        DEVELOPMENT,
        "https://0177.0.0.1/",
        "leads to 127.0.0.1, which 0177.0.0.1 hides; write the address as four decimal numbers",
    ),
    (
        PUBLIC,
        "https://134744072/",
        "leads to 8.8.8.8, which 134744072 hides; write the address as four decimal numbers",
    ),
    (PUBLIC, "https://4294967297/", "has the host 4294967297, which is neither a name nor an IPv4 address"),
    (PUBLIC, "https://0x/", "has the host 0x, which is neither a name nor an IPv4 address"),
    (PUBLIC, "https://8.8.8.8:x/", "is not a URL: Invalid port: 'x'"),
    (PUBLIC, "https://10.0.0.1/", f"leads to 10.0.0.1, a private address; {WHERE}"),
    (PUBLIC, "https://224.0.0.1/", f"leads to 224.0.0.1, which is no public address; {WHERE}"),
    (
        PUBLIC,
        "https://[::ffff:7f00:1]/",
        f"leads to {ipaddress.ip_address('::ffff:7f00:1')}, which is 127.0.0.1, a loopback address; {WHERE}",
    ),
    (PUBLIC, "https://METADATA/", "leads to metadata, where clouds tell a machine its secrets; no setting allows that"),
]


@pytest.mark.parametrize(("targets", "url", "reason"), REASONS)
def test_a_refusal_says_which_address_is_meant_why_it_is_refused_and_what_allows_it(
    targets: Targets, url: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        targets.check_url(url)
    assert caught.value.errors[0].detail == reason


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example/usage",
        "https://hooks.example:8443/a?b=c&d=%2F",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://xn--mller-kva.example/",
        "https://127-0-0-1.hooks.example/",
        "https://0x7f.example/",
        "HTTPS://Hooks.Example/",
    ],
)
def test_an_ordinary_url_is_taken(url: str) -> None:
    PUBLIC.check_url(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:5000/h", "http://localhost:5000/h", "http://[::1]/", "https://127.0.0.1/"]
)
def test_loopback_is_for_development_alone_and_needs_no_tls_there(url: str) -> None:
    DEVELOPMENT.check_url(url)
    with pytest.raises(InvalidInput):
        PUBLIC.check_url(url)


@pytest.mark.parametrize("url", ["http://hooks.example/", "http://10.1.0.1/", "http://2130706433/", "http://10.0.0.1/"])
def test_without_tls_nothing_but_loopback_is_taken_whatever_is_allowed(url: str) -> None:
    for targets in (DEVELOPMENT, INTRANET):
        with pytest.raises(InvalidInput):
            targets.check_url(url)


def test_an_intranet_that_is_allowed_is_taken_with_tls() -> None:
    INTRANET.check_url("https://10.1.2.3/")
    with pytest.raises(InvalidInput):
        INTRANET.check_url("https://10.2.2.3/")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everything", "10.0.0.0/33", "10.0.0.0/8;::1"])
def test_networks_that_are_none_are_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="THE_SETTING"):
        networks_from(text, "THE_SETTING")
