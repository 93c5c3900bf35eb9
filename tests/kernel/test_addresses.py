"""The client of a call, behind proxies or not."""

from ipaddress import ip_network

import pytest

from holdfast.kernel.addresses import client_of

PROXIES = [ip_network(each) for each in ("10.0.0.0/8", "192.0.2.7", "2001:db8:ffff::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        # Nobody is believed but a proxy of ours.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        # What stands left of the first stranger is the stranger's own tale.
        ("10.1.2.3", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["127.0.0.1, 198.51.100.1, 192.0.2.7, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["127.0.0.1", "198.51.100.1", "192.0.2.7"], "198.51.100.1"),
        # Inside our own network the call begins where the tale does.
        ("10.1.2.3", ["10.7.7.7, 192.0.2.7"], "10.7.7.7"),
        ("10.1.2.3", [], "10.1.2.3"),
        # A word that is no address ends the tale at whoever was found before it.
        ("10.1.2.3", ["198.51.100.1, unknown"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, unknown, 10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", ["", " , "], "10.1.2.3"),
        # Ports, quotes and brackets are not part of an address.
        ("10.1.2.3", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.1.2.3", ['"[2001:db8:1:2::9]:4711"'], "2001:db8:1:2::/64"),
        # A customer of IPv6 has a network, and one of IPv4 is the same whichever way he comes.
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", [], "2001:db8:1:3::/64"),
        ("2001:db8:ffff::1", ["2001:db8:9::1"], "2001:db8:9::/64"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("::ffff:10.1.2.3", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["198.51.100.1"], "unknown"),
        ("a socket", ["198.51.100.1"], "unknown"),
    ],
)
def test_the_client_is_the_right_most_stranger(peer: str | None, forwarded_for: list[str], client: str) -> None:
    """The client is the right-most address of X-Forwarded-For that is no trusted proxy's, an IPv6 one by its /64 (H-3)."""
    assert client_of(peer, forwarded_for, PROXIES) == client


def test_without_proxies_the_header_says_nothing() -> None:
    """Where no proxy is configured, a client is the address that is connected, whatever he says himself (H-3)."""
    assert client_of("10.1.2.3", ["198.51.100.1"], []) == "10.1.2.3"
