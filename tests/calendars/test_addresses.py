"""Which addresses a calendar may be at, and that the one that was looked at is the one that is connected to."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from calendars.http_servers import Asked, Reply, Server
from holdfast.calendars.port import Refused, Unreachable
from holdfast.calendars.wire import Wire
from holdfast.kernel import outward
from holdfast.kernel.outward import NotPublic, may_connect

NAME = "calendar.example.org"

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1",
    "::1", "fd12:3456::1", "fc00::1", "fec0::1",
    # The same, as IPv6 can carry them: mapped, compatible, 6to4, NAT64.
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:c0a8:101", "::10.0.0.1", "2002:a00:1::", "2002:7f00:1::1",
    "64:ff9b::a00:1", "64:ff9b::7f00:1",
    # Teredo: the address of the client stands at the end, inverted.
    "2001:0:4136:e378:8000:63bf:f5ff:fffe",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0",  # noqa: S104  which is what is refused
    "169.254.1.1", "fe80::1", "::ffff:169.254.169.254",
    "224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1", "240.0.0.1", "255.255.255.255",
    # Where clouds tell machines their secrets.
    "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::ffff:168.63.129.16",
    "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "64:ff9b:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_may_be_connected_to(address: str) -> None:
    """A public address is allowed, in whatever way it is written (C-8, calendars 23)."""
    assert may_connect(ip_address(address), private_networks=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_private_network_is_allowed_by_who_runs_the_server(address: str) -> None:
    """Private and loopback addresses are refused, unless the server is set to reach them (C-8, calendars 23)."""
    assert not may_connect(ip_address(address), private_networks=False)
    assert may_connect(ip_address(address), private_networks=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_those_of_a_calendar(address: str) -> None:
    """Link-local, multicast, reserved and unspecified addresses, and metadata services, are refused in any case (C-8, calendars 23)."""
    assert not may_connect(ip_address(address), private_networks=False)
    assert not may_connect(ip_address(address), private_networks=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::1]", "[::ffff:7f00:1]"]
)
async def test_no_way_of_writing_an_address_gets_around_the_check(host: str) -> None:
    """What a name or number means is what is judged, not how it is written (C-8, calendars 23)."""
    wire = Wire(private_networks=False)
    with Server(lambda _: Reply()).running() as server:
        with pytest.raises(Refused, match="not public"):
            await wire.ask("GET", wire.url(f"http://{host}:{server.port}/"))
        assert server.asked == []
    await wire.close()


async def test_a_name_that_nobody_knows_may_be_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that does not resolve is tried again, not refused for good (C-8)."""

    async def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    wire = Wire(private_networks=False)
    with pytest.raises(Unreachable, match="name"):
        await wire.ask("GET", wire.url(f"https://{NAME}/"))
    await wire.close()


async def test_a_name_cannot_change_its_meaning_between_check_and_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was looked up once is connected to, whatever the name means a moment later; the name is still asked for (C-8, calendars 23)."""
    looked_up = _meaning(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    with Server(lambda _: Reply(200, {}, b"here")).running() as server:
        wire = Wire(private_networks=True)
        answers = [await wire.ask("GET", wire.url(f"http://{NAME}:{server.port}/a")) for _ in range(2)]
        await wire.close()
    assert [each.body for each in answers] == [b"here", b"here"]
    assert [each.headers["host"] for each in server.asked] == [f"{NAME}:{server.port}"] * 2
    # Nobody else has looked it up either: what connects got an address.
    assert looked_up == [NAME]


async def test_of_several_addresses_the_forbidden_ones_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means a public and a private address leads to the public one only, and one of private ones nowhere (C-8, calendars 23)."""
    _meaning(monkeypatch, ["10.0.0.1", "8.8.8.8", "::1", "2606:4700:4700::1111"], ["10.0.0.1", "fe80::1%lo"])
    found = await outward.addresses_of(NAME, 443, private_networks=False)
    assert [str(each) for each in found] == ["8.8.8.8", "2606:4700:4700::1111"]
    with pytest.raises(NotPublic):
        await outward.addresses_of(NAME, 443, private_networks=False)


async def test_the_next_address_is_tried_when_one_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of which one address does not answer is reached at another one (C-8)."""
    with Server(lambda _: Reply(200, {}, b"here")).running() as server:
        _meaning(monkeypatch, ["::1", "127.0.0.1"])
        wire = Wire(private_networks=True)
        assert (await wire.ask("GET", wire.url(f"http://{NAME}:{server.port}/"))).body == b"here"
        await wire.close()


async def test_a_server_proves_itself_by_its_name(monkeypatch: pytest.MonkeyPatch, authority: "Authority") -> None:
    """Connected to by address, a server is asked for by name in TLS and HTTP, and its certificate is that of the name (C-7, C-8)."""
    named: list[str | None] = []
    context = authority.server_of(NAME)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    monkeypatch.setattr(outward, "_trust", lambda: ssl.create_default_context(cadata=authority.certificate))
    _meaning(monkeypatch, ["127.0.0.1"], ["127.0.0.1"])
    with Server(lambda _: Reply(200, {}, b"here"), context).running() as server:
        wire = Wire(private_networks=True)
        url = f"https://{NAME}:{server.port}/"
        assert (await wire.ask("GET", wire.url(url))).body == b"here"
        with pytest.raises(Unreachable, match="ConnectError"):
            await wire.ask("GET", wire.url(url.replace(NAME, "another.example.org")))
        await wire.close()
    assert named == [NAME, "another.example.org"]
    assert [each.headers["host"] for each in server.asked] == [f"{NAME}:{server.port}"]


async def test_two_names_at_one_address_share_no_connection(
    monkeypatch: pytest.MonkeyPatch, authority: "Authority"
) -> None:
    """A connection that was made to one name is not used for another one, which has not proved itself (C-7, C-8)."""
    monkeypatch.setattr(outward, "_trust", lambda: ssl.create_default_context(cadata=authority.certificate))
    _meaning(monkeypatch, ["127.0.0.1"], ["127.0.0.1"])

    def answer(asked: Asked) -> Reply:
        return Reply(302, {"location": f"https://other.example.org:{server.port}/"})

    with Server(answer, authority.server_of(NAME)).running() as server:
        wire = Wire(private_networks=True)
        with pytest.raises(Unreachable, match="ConnectError"):
            await wire.ask("GET", wire.url(f"https://{NAME}:{server.port}/"))
        await wire.close()
    assert len(server.asked) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would look names up in our stead: what is set for other programs is not obeyed (C-8, calendars 23)."""
    with Server(lambda _: Reply(200, {}, b"proxy")).running() as proxy, Server(lambda _: Reply()).running() as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        monkeypatch.setenv("no_proxy", "")
        wire = Wire(private_networks=True)
        assert (await wire.ask("GET", wire.url(server.address))).body == b""
        await wire.close()
    assert proxy.asked == []


def _meaning(monkeypatch: pytest.MonkeyPatch, *meanings: list[str]) -> list[str]:
    """Make names mean these addresses, the one list after the other; return what was looked up, as it happens."""
    left, looked_up = list(meanings), list[str]()

    async def look_up(host: str, port: int, **_: Any) -> Any:
        looked_up.append(host)
        return [(0, 0, 0, "", (each, port)) for each in left.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    return looked_up


class Authority:
    """Gives certificates to servers of tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Authority of the tests")])
        made = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        self.certificate = made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    def server_of(self, host: str) -> ssl.SSLContext:
        """Return what a server of this name proves itself with."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        builder = self._builder(subject, key).add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        chain = self._folder / f"{host}.pem"
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody else believes."""
    return Authority(tmp_path_factory.mktemp("authority"))
