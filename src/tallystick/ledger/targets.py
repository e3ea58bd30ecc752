"""Where webhooks may go, so that nobody makes the server ask for something inside its own network.

An address is judged when it is connected to (`tallystick.webhooks.connecting`), since a name may lead elsewhere by
then. What can be told from the URL alone is refused when an endpoint is made.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Final, NoReturn
from urllib.parse import urlsplit

import httpx

from tallystick.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL: Final = 2000

# An IPv4 address as C's inet_aton reads it: 2130706433, 0x7f.1, 0177.0.0.1 are all 127.0.0.1.
_NUMBERS: Final = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}\.?", re.IGNORECASE | re.ASCII)

_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE | re.ASCII)

_WHERE: Final = "webhooks go to public addresses, and to networks that the server's setting webhook_networks names"

_METADATA_NAMES: Final = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
)
"""Where clouds tell a machine its secrets, whatever address that is."""

# IANA's registries of special-purpose addresses, and 168.63.129.16, Azure's metadata. Python's own lists change with
# its releases.
_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        ),
    )
)
_GLOBAL_UNICAST: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Targets:
    """Judges URLs and addresses. `networks` are those that are allowed though they are not public."""

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self._networks = tuple(networks)

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to: it is public, or in one of the networks.

        An IPv6 address that is an IPv4 one in disguise is judged as that.
        """
        if any(address.version == network.version and address in network for network in self._networks):
            return True
        inner = _embedded(address)
        return _is_public(address) if inner is None else self.allows(inner)

    def check_url(self, text: str) -> None:
        """Raises `InvalidInput` naming `url` where no webhook can or may go there."""
        url = self._parsed(text)
        host = _host(url).rstrip(".").lower()
        literal = _literal(host)
        if _is_disguised(host):
            self._refuse_disguised(host)
        if host in _METADATA_NAMES:
            raise _wrong(f"leads to {host}, where clouds tell a machine its secrets; no setting allows that")
        if literal is not None and not self.allows(literal):
            raise _wrong(f"leads to {_told(literal)}; {_WHERE}")
        if literal is None and _is_loopback_name(host) and not self._loopback:
            raise _wrong("leads to this machine, which only the setting webhook_networks can allow")
        if url.scheme == "http" and not (self._loopback and _is_loopback(host, literal)):
            raise _wrong("must begin with https:// (http:// is for loopback addresses in development alone)")

    def _parsed(self, text: str) -> httpx.URL:
        if len(text) > LONGEST_URL:
            raise _wrong(f"must have at most {LONGEST_URL} characters")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise _wrong("must be ASCII without spaces; percent-encode what is not, and write a name in its xn-- form")
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError) as error:
            # Octal is refused here already, and its reason is another.
            if _is_disguised(host := _split(text)):
                self._refuse_disguised(host)
            raise _wrong(f"is not a URL: {error}") from None
        if url.scheme not in {"http", "https"} or not _HOST.fullmatch(_host(url)):
            raise _wrong("must begin with https:// and a host")
        if url.userinfo:
            raise _wrong("must hold no user name or password; the signature tells who sends")
        if url.fragment:
            raise _wrong("must have no fragment, which is never sent")
        if url.port is not None and not 0 < url.port <= 65535:
            raise _wrong(f"names the port {url.port}, which does not exist")
        return url

    def _refuse_disguised(self, host: str) -> NoReturn:
        """Tells which address a host of numbers stands for: it is refused even where that one is allowed."""
        address = _read_by_c(host)
        if address is None:
            raise _wrong(f"has the host {host}, which is neither a name nor an IPv4 address")
        if not self.allows(address):
            raise _wrong(f"leads to {_told(address)}, for which {host} stands; {_WHERE}")
        raise _wrong(f"leads to {address}, which {host} hides; write the address as four decimal numbers")

    @property
    def _loopback(self) -> bool:
        return self.allows(ipaddress.ip_address("127.0.0.1")) or self.allows(ipaddress.ip_address("::1"))


def networks_from(text: str, variable: str) -> tuple[Network, ...]:
    """The networks that a setting lists, with commas. Raises `InvalidInput` naming its variable."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise InvalidInput.parameter(variable, str(error)) from None


def _host(url: httpx.URL) -> str:
    """The host as it is looked up."""
    return url.raw_host.decode("ascii")


def _split(text: str) -> str:
    """The host of what is no URL, as well as it can be told; empty where it cannot."""
    try:
        return urlsplit(text).hostname or ""
    except ValueError:
        return ""


def _wrong(detail: str) -> InvalidInput:
    return InvalidInput.parameter("url", detail)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_disguised(host: str) -> bool:
    return _literal(host) is None and _NUMBERS.fullmatch(host) is not None


def _read_by_c(host: str) -> ipaddress.IPv4Address | None:
    """The address for which C's inet_aton takes numbers, and so whatever looks names up; `None` where it takes none."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _told(address: Address) -> str:
    """An address and why no webhook goes there; an IPv6 address that is an IPv4 one in disguise with that one."""
    inner = _embedded(address)
    if inner is not None:
        return f"{address}, which is {_told(inner)}"
    kinds = {"loopback": address.is_loopback, "link-local": address.is_link_local, "private": address.is_private}
    kind = next((name for name, holds in kinds.items() if holds), None)
    return f"{address}, a {kind} address" if kind else f"{address}, which is no public address"


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or host in {"localhost.localdomain", "ip6-localhost"}


def _is_loopback(host: str, literal: Address | None) -> bool:
    return _is_loopback_name(host) if literal is None else literal.is_loopback


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address not in _GLOBAL_UNICAST):
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one is mapped from, or translated to by NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped
