"""The one egress guard: which hosts and addresses a request may reach.

The host is checked before a connection is asked for, and every address once more at the moment when its
socket is opened, so a name that resolves to something else a second later does not slip through.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.providers.errors import EgressRefused

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ALWAYS_REFUSED: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::254/128",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "0.0.0.0/32",
        "::/128",
        "224.0.0.0/4",
        "ff00::/8",
    )
)
"""Link-local and cloud metadata services, the unspecified address (it reaches this machine), multicast."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be reached.

    Without an allowlist: everything but ``refused``. With one: only hosts in ``hosts`` (exact, or
    ``*.example.com``) and addresses in ``networks``. ``networks`` also lifts ``refused`` for its addresses.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    refused: tuple[Network, ...] = ALWAYS_REFUSED

    @classmethod
    def allowing(cls, entries: Sequence[str]) -> EgressPolicy:
        """Read an operator's list of hosts and CIDRs. Raises ValueError for an entry that is neither."""
        hosts: list[str] = []
        networks: list[Network] = []
        for entry in filter(None, (entry.strip().lower() for entry in entries)):
            try:
                networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                if "/" in entry or ":" in entry or not entry.strip("*."):
                    raise ValueError(f"{entry!r} is neither a host name nor a CIDR") from None
                hosts.append(entry)
        return cls(tuple(hosts), tuple(networks))

    @property
    def restricted(self) -> bool:
        """Tell whether there is an allowlist."""
        return bool(self.hosts or self.networks)

    def names_host(self, host: str) -> bool:
        """Tell whether the allowlist names this host."""
        host = host.lower().rstrip(".")
        return any(
            host == entry or (entry.startswith("*.") and host.endswith(entry[1:])) for entry in self.hosts
        )

    def check_host(self, host: str) -> None:
        """Raise EgressRefused when a host can be refused by its name alone."""
        if self.restricted and not self.networks and not self.names_host(host):
            raise EgressRefused(f"egress to {host} is refused: the operator's allowlist does not name it")

    def check_address(self, host: str, text: str) -> None:
        """Raise EgressRefused when the address that ``host`` resolved to must not be reached."""
        address = _plain(ipaddress.ip_address(text.partition("%")[0]))
        shown = f"{host} ({address})" if host and host != str(address) else str(address)
        if any(address in network for network in self.networks):
            return
        if any(address in network for network in self.refused):
            raise EgressRefused(f"egress to {shown} is refused: link-local, metadata or unspecified address")
        if self.restricted and not self.names_host(host):
            raise EgressRefused(f"egress to {shown} is refused: the operator's allowlist does not name it")


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return inner
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def guarded_socket(policy: EgressPolicy, host: str, info: tuple[Any, ...]) -> socket.socket:
    """Open a socket for one resolved address, or raise EgressRefused. ``info`` is from getaddrinfo."""
    family, kind, protocol, _, address = info
    policy.check_address(host, str(address[0]))
    return socket.socket(family=family, type=kind, proto=protocol)
