"""Bookings on pages of staff: found, seen with all that belongs to them, changed without overwriting anybody."""

from datetime import date
from uuid import uuid4

from admin.records.desks import Desk
from booking.served import Clients, Json, shifted, token_of
from booking.staffed import StaffClients
from holdfast.identity.permissions import Role
from wording import say

PATH = "/admin/bookings"
NOBODY = "00000000-0000-4000-8000-000000000000"


def booked(clients: Clients, day: date, number: int = 0, service: str = "individual-session", **more: str) -> Json:
    """Book a time of a day for somebody of their own address."""
    contact = {"guestEmail": f"{uuid4().hex}@example.org", "guestName": "First Guest", **more}
    return clients.commit(clients.reserve(service, clients.slots(service, day)[number]), **contact) | contact


def path_of(made: Json) -> str:
    """Return the page of a booking."""
    return f"{PATH}/{made['appointmentId']}"


def test_a_booking_is_found_by_contact_and_by_number(clients: Clients, owner: Desk, day: date) -> None:
    """Staff find bookings by e-mail, phone and number, however they are written, and no address of a page tells whose they
    are (U-3, H-2, D-5).
    """
    phone = f"+7 {uuid4().int % 10**10:010}"
    made = booked(clients, day, guestPhone=phone)
    other = booked(clients, day, 1)
    page = owner.open(PATH)
    for text in (made["guestEmail"].upper(), phone.replace(" ", "-")):
        found = owner.send(page, PATH, q=text)
        assert found.status == 200
        assert path_of(made) in found.links
        assert path_of(other) not in found.links
        for told in (text, made["guestEmail"], made["guestEmail"].partition("@")[0], phone[-8:]):
            assert told not in found.address
    assert owner.send(page, PATH, q=made["appointmentId"]).address.endswith(path_of(made))


def test_what_cannot_be_looked_for_is_told_at_its_field(clients: Clients, owner: Desk) -> None:
    """A search that names nothing is told at its field, and what was typed is still there (U-3)."""
    page = owner.open(PATH)
    for text, told in [
        (NOBODY, "There is no booking with this number"),
        ("First", "Type a whole e-mail address or phone number"),
    ]:
        answer = owner.send(page, PATH, q=text)
        assert answer.status == 400
        assert told in answer.text
        assert owner.form(answer, PATH).fields["q"] == text


def test_bookings_are_listed_as_asked(clients: Clients, owner: Desk, assistant: Desk, day: date) -> None:
    """The list shows a day, a service, a program, a practitioner or a state, and tells places in groups apart (U-3, H-2)."""
    made = booked(clients, day)
    intro = booked(clients, day, 5, "intro-call")
    schedule = clients.schedules()[12]
    held = clients.post("/api/booking/reserve", {"scheduleId": schedule["id"]})
    group = clients.commit(held, guestName="Fifth Guest")
    clients.cancel(intro)
    morning = dict.fromkeys(("from", "to"), schedule["start"][:10])
    program = next(p["id"] for p in clients.card["programs"] if p["slug"] == "morning-group")
    whom = clients.appointment(made)["resourceIds"][0]
    ours = {path_of(made), path_of(intro), path_of(group)}
    for query, found in [
        ({}, {path_of(made), path_of(intro)}),
        (morning, {path_of(group)}),
        ({"service": clients.service("individual-session")["id"]}, {path_of(made)}),
        ({"service": program}, set()),
        ({"service": program, **morning}, {path_of(group)}),
        ({"resource": whom}, {path_of(made)}),
        ({"state": "cancelled"}, {path_of(intro)}),
        ({"service": NOBODY}, set()),
        ({"from": "2020-01-01", "to": "2020-01-31"}, set()),
    ]:
        page = owner.open(PATH, **{"from": str(day), "to": str(day), **query})
        assert page.status == 200
        # Others have cancelled on this day, too.
        assert ours.intersection(page.links) == found, query
    assert say("ru", "group") in assistant.open(PATH, **morning).text
    assert "There is no such booking" in owner.open(PATH, **morning, service=NOBODY).text


def test_one_booking_is_told_in_words(clients: Clients, assistant: Desk, day: date) -> None:
    """The page of a booking tells when it is here and where the client is, with whom, for whom, how it stands, and who has
    done what (U-3, A-5, B-15).
    """
    made = booked(clients, day, timezone="Asia/Vladivostok", guestPhone="+7 900 765-43-21")
    moved = {"slotStart": (slot := clients.slots("individual-session", day)[3])["start"], "slotEnd": slot["end"]}
    assert clients.change(made, moved).status_code == 200
    page = assistant.open(path_of(made))
    assert page.status == 200
    for words in (
        "Индивидуальная консультация",
        slot["start_local"][11:16] if "start_local" in slot else "",
        "Europe/Moscow",
        "Asia/Vladivostok",
        "Специалист",
        "First Guest",
        made["guestEmail"],
        "+7 900 765-43-21",
        say("ru", "Confirmed"),
        say("ru", "Was booked"),
        say("ru", "the client"),
    ):
        assert words in page.text, words
    assert say("ru", "Moved to %(moment)s").partition(" ")[0] in page.text


def test_what_is_confided_is_read_by_few_and_never_unseen(
    clients: Clients, owner: Desk, assistant: Desk, day: date
) -> None:
    """Note and answers are on no page unless somebody who may asks for them, which the log then tells (D-7, U-3)."""
    made = booked(clients, day)
    page = owner.send(owner.open(path_of(made)), "/note", note="Prefers\nthe quiet room")
    assert page.status == 200
    answers = {"appointmentId": made["appointmentId"], "answers": {"Why do you come?": "I sleep badly"}}
    clients.post("/api/public/booking/intake", answers, 200, headers=token_of(made))

    def read() -> list[tuple[str, ...]]:
        return clients.sql(
            "select action from audit_log where to_state = %s and action in ('read_note', 'read_intake') order by 1",
            made["appointmentId"],
        )

    for desk in (owner, assistant):
        seen = desk.open(path_of(made)).source
        assert "quiet room" not in seen
        assert "sleep badly" not in seen
    assert read() == []
    shown = owner.send(owner.open(path_of(made)), "/confided")
    assert "quiet room" in shown.source
    assert "I sleep badly" in shown.text
    assert read() == [("read_intake",), ("read_note",)]
    assert assistant.post(f"{path_of(made)}/confided").status_code == 403
    blind = assistant.post(f"{path_of(made)}/note", version="2", note="Something else")
    assert blind.status_code == 403
    assert read() == [("read_intake",), ("read_note",)]
    assert "quiet room" in owner.send(owner.open(path_of(made)), "/confided").source


def test_a_change_that_comes_too_late_loses_nothing(clients: Clients, owner: Desk, assistant: Desk, day: date) -> None:
    """Whoever changes what others have changed since is told who did what, sees it as it is, and keeps what was typed
    (B-15, U-3).
    """
    made = booked(clients, day)
    seen = assistant.open(path_of(made))
    slot = clients.slots("individual-session", day)[4]
    assert clients.change(made, {"slotStart": slot["start"], "slotEnd": slot["end"]}).status_code == 200
    answer = assistant.send(seen, "/cancel", reason="По просьбе клиента")
    assert answer.status == 409
    assert (
        say(
            "ru",
            "Somebody has changed this booking since you opened it, so nothing of yours was done. See what is new,"
            " then decide again.",
        )
        in answer.text
    )
    assert answer.text.count(say("ru", "the client")) >= 2
    assert assistant.form(answer, "/cancel").fields["reason"] == "По просьбе клиента"
    assert clients.appointment(made)["status"] == "confirmed"
    assert say("ru", "The booking was cancelled. Its place is free.") in assistant.send(answer, "/cancel").text
    assert clients.appointment(made)["status"] == "cancelled"


def test_a_booking_is_moved_to_what_is_free(clients: Clients, owner: Desk, day: date) -> None:
    """Staff move a booking to a free time or to one that they type; a taken one is refused with what is free near it (B-14,
    B-22, U-3).
    """
    made = booked(clients, day, 0)
    page = owner.open(f"{path_of(made)}/move", day=str(day))
    times = [given["value"] for tag, given in page.tags if tag == "input" and given.get("name") == "place"]
    assert times
    slots = clients.slots("individual-session", day)
    done = owner.send(page, "/move", place=str(times[2]), reason="On the phone")
    assert "The booking was moved." in done.text
    assert clients.reasons(made["appointmentId"])[-1] == "On the phone"
    page = owner.open(f"{path_of(made)}/move", day=str(day))
    done = owner.send(page, "/move", place="", time="18:05")
    assert "The booking was moved." in done.text
    assert clients.appointment(made)["start"][11:16] == "15:05"

    whom = clients.appointment(made)["resourceIds"][0]
    other = clients.booked("individual-session", slots[1], resourceId=whom)
    page = owner.open(f"{path_of(made)}/move", day=str(day), resource=whom)
    taken = clients.appointment(other)["start"]
    local = f"{int(taken[11:13]) + 3:02}:{taken[14:16]}"
    refused = owner.send(page, "/move", place="", time=local, reason="On the phone")
    assert refused.status == 409
    assert "Free near that time" in refused.text
    [nearest, asked] = [form for form in refused.forms if form.action.endswith("/move") and form.method == "post"]
    assert nearest.buttons
    assert asked.fields["reason"] == nearest.fields["reason"] == "On the phone"
    assert asked.fields["time"] == local
    assert owner.send(page, "/move", place="").status == 400


def test_a_place_of_a_group_moves_to_another_date(clients: Clients, owner: Desk) -> None:
    """A place of a program is moved to another of its dates that has places left (B-14, B-20, U-3)."""
    first, second = clients.schedules()[4:6]
    made = clients.commit(clients.post("/api/booking/reserve", {"scheduleId": first["id"]}))
    page = owner.open(f"{path_of(made)}/move")
    assert owner.form(page, "/move").action.endswith("/move")
    assert "The booking was moved." in owner.send(page, "/move", place=second["id"]).text
    assert clients.appointment(made)["scheduleId"] == second["id"]
    assert owner.send(owner.open(f"{path_of(made)}/move"), "/move", place="").status == 400


def test_an_outcome_is_kept_and_corrected(
    clients: Clients, staffs: dict[Role, StaffClients], owner: Desk, day: date
) -> None:
    """After its start staff say on the page whether the client came, and correct it (B-19, U-3)."""
    made = booked(clients, day)
    assert f"{path_of(made)}/outcome" not in {form.action for form in owner.open(path_of(made)).forms}
    slot = clients.slots("individual-session", day)[2]
    past = {"slotStart": shifted(slot["start"], days=-200), "slotEnd": shifted(slot["end"], days=-200)}
    wish = {"serviceId": clients.service("individual-session")["id"], **past, "guestName": "Third Guest"}
    made = staffs[Role.ASSISTANT].call("POST", "/api/booking/appointments", wish).json()
    for outcome in ("no_show", "completed"):
        done = owner.send(owner.open(path_of(made)), "/outcome", outcome=outcome)
        assert "The outcome is kept." in done.text
        assert clients.appointment(made)["status"] == outcome
    assert owner.post(f"{path_of(made)}/outcome", version="1", outcome="late").status_code == 400


def test_a_refund_by_hand_says_that_nothing_goes_back_by_itself(clients: Clients, owner: Desk, day: date) -> None:
    """What was not paid through Holdfast is marked as refunded, and the page says that the money is staff's to give (B-18)."""
    made = booked(clients, day)
    page = owner.open(path_of(made))
    assert "give the money back yourself" in page.text
    assert "The booking was refunded." in owner.send(page, "/refund").text
    assert clients.appointment(made)["status"] == "refunded"
