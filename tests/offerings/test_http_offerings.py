"""What can be booked, set up over HTTP; every answer is checked against the OpenAPI document."""

from datetime import timedelta
from typing import Any

from booking.studio import NOW
from catalog.holds import hold_places, release_all
from holdfast.booking.layouts import lay_out_ahead
from holdfast.catalog.programs import programs_of
from holdfast.catalog.services import services_of
from holdfast.identity.permissions import Role
from holdfast.kernel.ids import new_id
from identity.entrance import Browser, refused
from offerings.pages import House
from offerings.setting import entries, someone

Json = dict[str, Any]
DAY = (NOW + timedelta(days=20)).date()


async def owner_of(house: House, role: Role = Role.OWNER) -> Browser:
    """Return somebody who has signed in."""
    return await house.practice.signed_in(await house.practice.user(role))


async def told(owner: Browser, method: str, path: str, body: Json | None = None, status: int = 200) -> Json:
    """Return what a call that succeeds answers."""
    answer = await owner.call(method, f"/api/admin{path}", body)
    assert answer.status_code == status, answer.text
    shown: Json = answer.json() if answer.content else {}
    return shown


async def test_a_service_over_http(house: House) -> None:
    """A service is made, listed, changed from the state that was seen, and deactivated (U-3, H-2)."""
    owner, person = await owner_of(house), await someone(house.studio)
    body = {"name": "Talk", "durationMinutes": 50, "requirements": [[str(person)]], "priceMinor": 4550}
    more = {"paymentPolicy": "prepay", "refundTerms": [{"hoursBefore": 24, "percent": 50}]}
    made = await told(owner, "POST", "/services", body | more | {"slug": "talk"}, 201)
    assert made["refundTerms"] == more["refundTerms"]
    assert (await told(owner, "GET", "/services"))["services"] == [made]
    changed = await told(owner, "PUT", f"/services/{made['id']}", body | {"seen": made["seen"], "durationMinutes": 60})
    assert (changed["durationMinutes"], changed["paymentPolicy"]) == (60, "none")
    stale = await owner.call("PUT", f"/api/admin/services/{made['id']}", body | {"seen": made["seen"]})
    assert refused(stale, 409, "changed_meanwhile")["details"] == {"seen": changed["seen"]}
    bad = body | {"slug": "walk", "durationMinutes": 0, "maxSimultaneousBookings": 10**30, "requirements": [[]]}
    failed = refused(await owner.call("POST", "/api/admin/services", bad), 400, "validation_failed")
    fields = {error["field"] for error in failed["details"]["errors"]}
    assert fields == {"durationMinutes", "maxSimultaneousBookings", "requirements"}
    taken = await owner.call("POST", "/api/admin/services", body | {"slug": "talk"})
    assert refused(taken, 409, "offering_slug_taken")["details"] == {"field": "slug"}
    await told(owner, "POST", f"/services/{made['id']}/deactivate", {"seen": changed["seen"]}, 204)
    [now] = await house.studio.run(services_of)
    assert not now.active
    nobody = await owner.call("POST", f"/api/admin/services/{new_id()}/deactivate", {"seen": ""})
    refused(nobody, 404, "not_found")


async def test_a_resource_with_its_hours_over_http(house: House) -> None:
    """A resource gets its weeks and days from the states that were seen; what is booked stands in the way once (U-3)."""
    owner = await owner_of(house)
    body = {"name": "Hall", "kind": "room", "capacity": 4}
    made = await told(owner, "POST", "/resources", body | {"slug": "hall"}, 201)
    path = f"/resources/{made['id']}"
    again = await told(owner, "PUT", path, body | {"seen": made["seen"], "capacity": 5})
    assert (await told(owner, "GET", "/resources"))["resources"] == [again]
    hours = await told(owner, "GET", f"{path}/hours")
    assert hours["weeks"] == [{"days": [[]] * 7, "validFrom": None, "validUntil": None}]
    open_day = [{"opens": "09:00:00", "closes": "17:00:00"}]
    week = {"days": [open_day] * 5 + [[], []], "validFrom": str(DAY), "seen": hours["seenWeeks"]}
    hours = await told(owner, "PUT", f"{path}/hours/week", week)
    assert [each["validFrom"] for each in hours["weeks"]] == [None, str(DAY)]
    refused(await owner.call("PUT", f"/api/admin{path}/hours/week", week), 409, "changed_meanwhile")

    program = {"name": "Circle", "durationMinutes": 60, "maxCapacity": 3, "resourceIds": [made["id"]], "slug": "circle"}
    rules = [{"weekday": n, "starts": "12:00:00"} for n in range(7)]
    await told(owner, "POST", "/programs", program | {"rules": rules}, 201)
    await house.studio.run(lay_out_ahead)
    at = next(each for each in await house.studio.listed("circle", limit=1000) if each.start.date() == DAY)
    await house.studio.run(lambda tx: hold_places(tx, at.id, at.start, 1))
    closed = {"days": [str(DAY)], "hours": [], "seen": hours["seenDays"]}
    warned = await owner.call("PUT", f"/api/admin{path}/hours/days", closed)
    details = refused(warned, 409, "leaves_bookings")["details"]
    assert [each["id"] for each in details["booked"]] == [str(at.id)]
    hours = await told(owner, "PUT", f"{path}/hours/days", closed | {"accept": details["accept"]})
    assert hours["days"] == [{"day": str(DAY), "hours": []}]
    week = {"days": [str(DAY)], "hours": None, "seen": hours["seenDays"]}
    assert (await told(owner, "PUT", f"{path}/hours/days", week))["days"] == []
    needed = await owner.call("POST", f"/api/admin{path}/deactivate", {"seen": again["seen"]})
    assert refused(needed, 409, "resource_needed")["details"] == {"services": [], "programs": ["Circle"]}
    assert len(entries(house.studio, made["id"])) == 5
    await house.studio.run(release_all)


async def test_a_program_over_http(house: House) -> None:
    """A program is made, listed, changed from the state that was seen, and deactivated (U-3, H-2)."""
    owner = await owner_of(house)
    body = {"name": "Circle", "durationMinutes": 60, "maxCapacity": 3, "rules": [{"weekday": 1, "starts": "12:00:00"}]}
    made = await told(owner, "POST", "/programs", body | {"slug": "circle", "timezone": "Asia/Tokyo"}, 201)
    assert (await told(owner, "GET", "/programs"))["programs"] == [made]
    seen = {"seen": made["seen"]}
    changed = await told(owner, "PUT", f"/programs/{made['id']}", body | seen | {"maxCapacity": 9})
    assert (changed["maxCapacity"], changed["timezone"], changed["rules"]) == (9, None, body["rules"])
    late = await owner.call("PUT", f"/api/admin/programs/{made['id']}", body | seen)
    refused(late, 409, "changed_meanwhile")
    await told(owner, "POST", f"/programs/{made['id']}/deactivate", {"seen": changed["seen"]}, 204)
    [now] = await house.studio.run(programs_of)
    assert not now.active


async def test_an_assistant_reads_offerings_over_http(house: House) -> None:
    """An assistant reads what is offered and changes none of it; an editor reads nothing (D-7)."""
    person = await someone(house.studio)
    assistant = await owner_of(house, Role.ASSISTANT)
    assert len((await told(assistant, "GET", "/resources"))["resources"]) == 1
    refused(await assistant.call("POST", f"/api/admin/resources/{person}/deactivate", {"seen": ""}), 403, "forbidden")
    editor = await owner_of(house, Role.EDITOR)
    refused(await editor.call("GET", "/api/admin/services"), 403, "forbidden")
