"""The OpenAPI document: what it tells of bodies, and how calls follow each other."""

from typing import Any

import pytest

from holdfast import config, web
from holdfast.kernel.documents import openapi

Json = dict[str, Any]


@pytest.fixture(scope="module")
def operations() -> dict[str, Json]:
    """Every operation of the document, by its id."""
    document = openapi(web.handlers(config.Settings()), "1")
    return {found["operationId"]: found for path in document["paths"].values() for found in path.values()}


def links(operation: Json) -> dict[str, Json]:
    """Return where the answer to something new leads."""
    found: dict[str, Json] = operation["responses"]["201"].get("links", {})
    return found


def test_a_reservation_leads_to_what_is_done_with_it(operations: dict[str, Json]) -> None:
    """From a reservation one comes to its commit, by its id in the body, and to reading, prolonging and releasing it (H-1)."""
    found = links(operations["reserve"])
    assert found.keys() == {"commit", "read_reservation", "extend", "release"}
    assert found["commit"] == {
        "operationId": "commit",
        "parameters": {},
        "requestBody": {"reservationId": "$response.body#/reservationId"},
    }
    assert found["release"]["parameters"] == {"path.reservation_id": "$response.body#/reservationId"}
    assert links(operations["reserve"]) == operations["reserve"]["responses"]["200"]["links"], "repeated it is the same"


def test_an_appointment_leads_on_with_its_token_and_its_version(operations: dict[str, Json]) -> None:
    """What a client does with an appointment takes the token and the version that the commit has told (B-15, H-1)."""
    found = links(operations["commit"])
    token = "$response.body#/cancellationToken"  # noqa: S105
    assert found["read_payment"]["parameters"]["header.Booking-Token"] == token
    assert found["cancel"]["requestBody"] == {"cancellationToken": token}
    assert found["change"]["parameters"]["header.If-Match"] == '"{$response.body#/version}"'
    assert found == links(operations["book"]) == links(operations["book_by_hand"])
    assert links(operations["wait"])["leave_waitlist"]["parameters"]["header.Booking-Token"] == "$response.body#/token"


def test_what_staff_make_leads_to_its_change_and_its_end(operations: dict[str, Json]) -> None:
    """From a tag one comes to changing and removing it, and to nothing else (H-1)."""
    assert {name: link["parameters"] for name, link in links(operations["add_tag"]).items()} == {
        "change_tag": {"path.tag_id": "$response.body#/id"},
        "remove_tag": {"path.tag_id": "$response.body#/id"},
    }


def test_every_link_fits_the_call_to_which_it_leads(operations: dict[str, Json]) -> None:
    """A link names an operation that is there, and fills in everything that its address needs (H-1)."""
    found = [
        link
        for operation in operations.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert len(found) > 50
    for link in found:
        asked = {one["name"] for one in operations[link["operationId"]]["parameters"] if one["in"] == "path"}
        assert asked == {name.partition(".")[2] for name in link["parameters"] if name.startswith("path.")}, link


def test_a_body_is_required_where_it_has_to_have_a_member(operations: dict[str, Json]) -> None:
    """An empty body is an empty object, so a body is required only where one of its members is (H-1)."""
    assert operations["commit"]["requestBody"]["required"] is True
    assert operations["change_tag"]["requestBody"]["required"] is False
