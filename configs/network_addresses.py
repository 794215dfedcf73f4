"""Kinds of IP addresses that a server must not connect to on behalf of a user.

Several ranges of IPv6 contain an IPv4 address that the operating system or a translator connects to, so each is judged
by that address as well.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291; everything else is special or not assigned
_LAST_32_BITS = (
    ip_network("::/96"),  # IPv4-compatible (RFC 4291, deprecated)
    ip_network("::ffff:0:0/96"),  # IPv4-mapped
    ip_network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    ip_network("64:ff9b::/96"),  # NAT64 (RFC 6052)
)
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")  # RFC 8215; the position of the IPv4 address depends on the network
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214: bits 64 to 95


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for; None: it stands for none.

    For the local NAT64 prefix, whose form is not known, this is 0.0.0.0, which nobody may connect to.
    """
    if isinstance(address, IPv4Address) or int(address) <= 1:  # :: and ::1 are addresses of their own
        return None
    if any(address in network for network in _LAST_32_BITS):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        return IPv4Address(0)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def is_public(address: Address) -> bool:
    """Return whether an address is one host of the internet, and needs no translation to be reached."""
    if isinstance(address, IPv6Address):
        return address in _GLOBAL_UNICAST and embedded_ipv4(address) is None and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_host(address: Address, *, loopback: bool) -> bool:
    """Return whether an address, public or private, is that of one other host.

    Args:
        address: of the host.
        loopback: whether this machine itself is accepted by its loopback address.
    """
    inner = embedded_ipv4(address)
    if inner is not None:
        return is_host(inner, loopback=loopback)
    if address.is_loopback:
        return loopback
    if isinstance(address, IPv6Address):
        return not (address.is_multicast or address.is_unspecified or address.is_link_local or address.is_site_local)
    this_network = int(address) < 2**24  # 0.0.0.0/8
    return not (address.is_multicast or address.is_link_local or address.is_reserved or this_network)


def is_internal(host: str) -> bool:
    """Return whether a host is in the intranet or this machine: no proxy for the internet may see requests to it.

    A name that cannot be resolved here is external: only the proxy may know it.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return not any(is_public(ip_address(str(endpoint[0]).partition("%")[0])) for *_, endpoint in found)
