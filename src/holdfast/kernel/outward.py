"""Which addresses owners may have this server speak to, and connections to exactly the address that was looked at.

An owner types where a calendar is, or who is to be told. Without a look at what that name means, our server would fetch
for them what only it can reach: its neighbours, itself, and what its hosting company tells it.
"""

import asyncio
import functools
import socket
import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx2

Address = IPv4Address | IPv6Address

# Where clouds tell a machine its secrets; one of them is a public address, and one that of a shared network.
_METADATA = frozenset(map(ip_address, ("169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254")))
# "This network", and that of the protocols themselves with the metadata of one cloud (RFC 6890).
_NOBODYS = (IPv4Network("0.0.0.0/8"), IPv4Network("192.0.0.0/24"))
# Addresses of IPv6 whose last 32 bits are one of IPv4 to which it is passed on (RFC 6052; RFC 4291, 2.5.5.1).
_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))

_LAST_PORT = 65_535


class NotPublic(Exception):
    """A host has no address that may be connected to."""


class NotKnown(Exception):
    """Nobody knows a host of this name."""


def may_connect(address: Address, *, private_networks: bool) -> bool:
    """Tell whether an address may be connected to: one of the internet, or else of a private network.

    Never what belongs to no other machine of a network: link-local, multicast, unspecified and reserved addresses, and
    those where clouds tell secrets.
    """
    meant = _meant(address)
    never = meant.is_link_local or meant.is_multicast or meant.is_unspecified or meant in _METADATA
    never = never or any(meant in network for network in _NOBODYS)
    if never or (meant.is_reserved and not meant.is_loopback):
        return False
    # Of a site of old (RFC 3879), which Python takes for global.
    is_of_a_site = isinstance(meant, IPv6Address) and meant.is_site_local
    return private_networks or (meant.is_global and not is_of_a_site)


def _meant(address: Address) -> Address:
    """Return where packets for an address arrive: an address of IPv6 can carry one of IPv4."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is not None:
        return inner
    if any(address in network for network in _EMBEDDING) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


async def addresses_of(host: str, port: int, *, private_networks: bool) -> Sequence[Address]:
    """Return the addresses of a host that may be connected to, in the order of preference.

    Raises NotPublic when it has none of these, NotKnown when nobody knows it, or there can be no such port.
    """
    if port > _LAST_PORT:
        raise NotKnown
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotKnown from None
    # A zone, as in fe80::1%eth0, says through which door, not whose address it is.
    known = dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found)
    allowed = [each for each in known if may_connect(each, private_networks=private_networks)]
    if not allowed:
        raise NotPublic
    return allowed


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Connects to allowed addresses only. A name is looked up once, and what was found is what is connected to.

    So a name that means something else a moment later is of no use. The server is still asked, and has to prove
    itself, by its name.
    """

    def __init__(self, *, private_networks: bool) -> None:
        self._private_networks = private_networks
        self._addresses: dict[tuple[str, int], Sequence[Address]] = {}
        # One for each name: two names at one address share no connection, whose certificate is that of one of them.
        self._transports: dict[tuple[str, int], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request to the first address that lets us in. Raises NotPublic, NotKnown."""
        url = request.url
        host = url.raw_host.decode("ascii")
        door = (host, url.port or (443 if url.scheme == "https" else 80))
        if door not in self._addresses:
            self._addresses[door] = await addresses_of(*door, private_networks=self._private_networks)
            self._transports[door] = httpx2.AsyncHTTPTransport(verify=_trust(), trust_env=False)
        failure: httpx2.TransportError | None = None
        for address in self._addresses[door]:
            pinned = httpx2.Request(
                request.method,
                url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return await self._transports[door].handle_async_request(pinned)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    async def aclose(self) -> None:
        """Let go of all connections."""
        for transport in self._transports.values():
            await transport.aclose()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return whom we believe: the machine's authorities, to which SSL_CERT_FILE can add those of a private network."""
    return ssl.create_default_context()
