"""The public card of a business."""

import pytest

from booking.served import SLUG, Clients, problem

SERVICES = {
    "individual-session": (50, 350_000, "on_site", 3),
    "intro-call": (20, 0, "none", 3),
    "couple-session": (80, 600_000, "on_site", 3),
    "open-studio": (60, 50_000, "on_site", 1),
}


def test_the_card_shows_what_can_be_booked(clients: Clients) -> None:
    """The card of the demo business has its zone, currency, services, resources and programs, and no pool (K-4)."""
    card = clients.card
    assert [card[name] for name in ("slug", "name", "timezone", "currency")] == [
        SLUG,
        "Эмоциональный баланс",
        "Europe/Moscow",
        "RUB",
    ]
    services = {
        s["slug"]: (s["durationMinutes"], s["priceMinor"], s["paymentPolicy"], len(s["resourceIds"]))
        for s in card["services"]
    }
    assert services == SERVICES
    assert clients.service("open-studio")["maxSimultaneousBookings"] == 12
    assert {r["slug"]: r["capacity"] for r in card["resources"]} == {
        "practitioner-1": 1,
        "practitioner-2": 1,
        "practitioner-3": 1,
        "room": 1,
        "studio": 12,
    }
    assert {p["slug"]: p["maxCapacity"] for p in card["programs"]} == {"morning-group": 12, "open-lecture": 500}


def test_the_card_is_found_by_id_as_well(clients: Clients) -> None:
    """The card under the id of a business is the card under its slug."""
    assert clients.get(f"/api/public/businesses/{clients.card['id']}") == clients.card


@pytest.mark.parametrize("name", ["nobody", "01a1fc5c-20d3-7d36-8981-57ccd416e980", "%00", "%ff", "x" * 3_000])
def test_a_business_that_is_not_there(clients: Clients, name: str) -> None:
    """An unknown business is 404 in the shape of every error (H-1)."""
    problem(clients.http.get(f"/api/public/businesses/{name}"), 404, "unknown_business")


def test_the_card_follows_the_catalog(clients: Clients) -> None:
    """A change of the catalog shows in the very next answer."""
    with clients.altered("services", "intro-call", name="Знакомство по телефону"):
        shown = clients.get(f"/api/public/businesses/{SLUG}")
        assert "Знакомство по телефону" in {s["name"] for s in shown["services"]}
    assert clients.get(f"/api/public/businesses/{SLUG}") == clients.card


def test_the_card_tells_on_what_terms_money_goes_back(clients: Clients) -> None:
    """Before anybody commits, the card tells how long a place waits for its payment and what a cancellation gives back
    (P-6, payments 18).
    """
    terms = [{"hoursBefore": 24, "percent": 50}]
    for table, kind, slug in (("services", "services", "intro-call"), ("programs", "programs", "open-lecture")):
        with clients.altered(table, slug, payment_minutes=10, refund_terms=terms):
            card = clients.get(f"/api/public/businesses/{SLUG}")
            shown = {each["slug"]: (each["paymentMinutes"], each["refundTerms"]) for each in card[kind]}
            assert shown.pop(slug) == (10, terms)
            assert set(map(str, shown.values())) == {str((30, []))}
