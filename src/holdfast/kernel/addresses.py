"""Where a call comes from, when proxies stand between."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What an IPv6 customer is given as a whole, and may change addresses in at will.
_IPV6_CUSTOMER_BITS = 64


def client_of(peer: str | None, forwarded_for: Iterable[str], trusted: Sequence[Network]) -> str:
    """Return the client of a call: an IPv4 address, or the /64 network of an IPv6 address.

    `forwarded_for` is every header X-Forwarded-For, each a list to which each proxy has added whom it heard from. It is
    read from the right, for as long as those who wrote it are trusted: the right-most address that is not trusted is
    the client, since everything to the left of it is his own tale. Calls without an address share one name.
    """
    client = None if peer is None else _address(peer)
    if client is None:
        return "unknown"
    for entry in reversed(",".join(forwarded_for).split(",")):
        if not is_trusted(client, trusted):
            break
        told = _address(entry)
        if told is None:
            break
        client = told
    if isinstance(client, IPv6Address):
        return str(ip_network((client, _IPV6_CUSTOMER_BITS), strict=False))
    return str(client)


def is_from(peer: str | None, networks: Sequence[Network]) -> bool:
    """Return whether a connection comes from one of the networks."""
    address = None if peer is None else _address(peer)
    return address is not None and is_trusted(address, networks)


def is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    """Return whether an address lies in one of the networks."""
    return any(address in network for network in trusted)


def _address(text: str) -> Address | None:
    """Return the address that a proxy writes, which may have a port, brackets or a zone; None for anything else."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    # One client whichever way the socket was opened.
    return getattr(address, "ipv4_mapped", None) or address
