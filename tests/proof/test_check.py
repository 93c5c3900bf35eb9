"""The checker can fail: a sound history has no finding, and whatever is doctored is found and called by its name."""

import pytest
from msgspec.structs import replace
from proof.check import resolved
from proof.check_money import Charge
from proof.findings import Kind
from proof.history import Asked, Call, Place
from proof.recorded import Booking, Claim, Key

from proving.sound import GROUP, PRICE, STAGE, Doctor, Practice, at, practice

K = Kind
UNHEARD = Asked(at("talk", 20), 1, 600, body="open")


def place_in(day: Practice, key: str, operation: str = "reserve") -> int:
    """Return where the first call of a key, or of a booking, is."""
    return next(
        n for n, call in enumerate(day.calls) if call.operation == operation and key in {call.key, call.asked.booking}
    )


def call_of(day: Practice, key: str, operation: str = "reserve") -> Call:
    """Return the first call of a key, or of a booking."""
    return day.calls[place_in(day, key, operation)]


def retell(day: Practice, key: str, operation: str = "reserve", **values: object) -> None:
    """Change what an answer said."""
    call = call_of(day, key, operation)
    assert call.told is not None
    day.retell(place_in(day, key, operation), told=replace(call.told, **values))


def test_a_sound_history_has_no_finding() -> None:
    """A day on which everything happened that can happen, and on which every word was kept, has no finding."""
    assert practice().findings() == []


LOST: dict[str, Doctor] = {
    "a booking": lambda day: day.bookings.pop("booking-g"),
    "a cancelled booking": lambda day: day.bookings.pop("booking-a"),
    "a key": lambda day: day.keys.remove(next(key for key in day.keys if key.key == "g")),
    "the key of a cancellation": lambda day: day.keys.remove(next(key for key in day.keys if key.key == "a-cancel")),
    "a commit": lambda day: day.alter("booking-unpaid", state="held"),
    "a commit that expired": lambda day: day.alter("booking-unpaid", state="expired", version=1),
    "a cancellation": lambda day: day.alter("booking-a", state="confirmed"),
    "a release": lambda day: day.alter("booking-c", state="held"),
    "a move": lambda day: day.alter("booking-d", version=1),
}
ALTERED: dict[str, Doctor] = {
    "an hour": lambda day: day.alter("booking-g", start=at("dance", 10).start, end=at("dance", 10).end),
    "the end": lambda day: day.alter("booking-g", end=at("dance", 10).end),
    "a service": lambda day: day.alter("booking-g", service="talk"),
    "a schedule": lambda day: day.alter("booking-group-g", schedule="another"),
    "the party": lambda day: day.alter("booking-h", party=1),
    "the party of a group": lambda day: day.alter("booking-group-h", party=3),
    "the resource": lambda day: day.resources.update({"booking-j": ("two", "room")}),
    "one of two resources": lambda day: day.resources.update({"booking-j": ("one",)}),
    "no claim": lambda day: day.resources.update({"booking-f": ()}),
    "one claim more": lambda day: day.extra_claims.append(Claim("booking-f", "ana", 0, 60, 1)),
    "a move back": lambda day: day.alter("booking-d", start=at("talk", 12).start, end=at("talk", 12).end),
    "a hold that ended early": lambda day: day.alter("booking-f", state="expired"),
    "an end that nobody asked for": lambda day: day.alter("booking-d", state="cancelled"),
    "the booking of a key": lambda day: day.keys.append(Key("a-cancel", "cancel", "booking-g")),
}
DOUBLED: dict[str, Doctor] = {
    "a second effect of a key": lambda day: day.again(call_of(day, "g")) and retell_last(day, replayed=False),
    "a second commit": lambda day: day.again(call_of(day, "booking-a", "commit")) and retell_last(day, replayed=False),
    "another booking for a key": lambda day: day.again(call_of(day, "g")) and retell_last(day, booking="booking-h"),
    "one booking for two keys": lambda day: retell(day, "group-h", booking="booking-group-g"),
    "two keys for one booking": lambda day: day.keys.append(Key("l", "reserve", "booking-j")),
    "another request with the key": lambda day: day.retell(place_in(day, "c") + 1, status=200, code=None),
}
DIFFERING: dict[str, Doctor] = {
    "another answer": lambda day: day.again(call_of(day, "g")) and retell_last(day, answer="another"),
    "another token": lambda day: day.again(call_of(day, "booking-a", "commit")) and retell_last(day, answer="another"),
    "another answer to a move": lambda day: (
        day.again(call_of(day, "d-move", "reschedule")) and retell_last(day, answer="another")
    ),
    "a refusal of what was done": lambda day: (
        day.again(call_of(day, "g")) and day.retell(-1, status=409, code="slot_conflict", told=None)
    ),
}
CONTRADICTED: dict[str, Doctor] = {
    "given back and committed": lambda day: day.commit("booking-c") and day.alter("booking-c", state="confirmed"),
    "cancelled twice": lambda day: day.end("cancel", "booking-a", "a-cancel-again"),
    "committed too late": lambda day: (
        day.retell(place_in(day, "booking-e", "commit"), status=201, code=None)
        or day.alter("booking-e", state="confirmed")
    ),
}
UNASKED: dict[str, Doctor] = {
    "a booking": lambda day: day.bookings.update({"x": Booking("x", "dance", None, 0, 60, 1, "released", 1, None)}),
    "a key": lambda day: day.keys.append(Key("nobody's", "reserve", "booking-g")),
    "the effect of a refused key": lambda day: day.keys.append(Key("b", "reserve", None)),
}


def retell_last(day: Practice, **values: object) -> None:
    """Change what the last answer said."""
    told = day.calls[-1].told
    assert told is not None
    day.retell(-1, told=replace(told, **values))


def refuse(*names: object, code: str = "slot_conflict", party: int = 1) -> Doctor:
    """Let somebody be refused a place in the end."""
    place = names[0]
    assert isinstance(place, Place)
    return lambda day: day.refuse("late", place, code, party)


def before_the_move(day: Practice, started: float, ended: float) -> None:
    """Let the last call be made so many seconds before somebody moved."""
    move = call_of(day, "d-move", "reschedule").started
    day.retell(-1, started=move - started, ended=move - ended)


def came_before_the_move(day: Practice) -> None:
    """Let somebody take the place to which another one moved, and give it back just before that."""
    booking = day.reserve("before", at("talk", 9), "ana")
    before_the_move(day, 0.4, 0.3)
    day.end("release", booking)
    before_the_move(day, 0.2, 0.1)


REFUSED_FALSELY: dict[str, Doctor] = {
    "a free slot": refuse(at("talk", 15)),
    "a slot that was cancelled": lambda day: (
        day.end("cancel", "booking-d", "d-cancel") and day.refuse("late", at("talk", 9))
    ),
    "a slot that somebody moved away from": lambda day: (
        day.end("release", "booking-f") and day.refuse("late", at("talk", 12))
    ),
    "a slot whose hold has run out": lambda day: (
        setattr(day, "now", day.now + 900) or day.refuse("late", at("talk", 12))
    ),
    "beside a buffer": refuse(at("talk", 10)),
    "a place beside others": refuse(at("dance", 10, minute=0)),
    "a place of a group": refuse(GROUP, code="CAPACITY_EXCEEDED"),
    "one of two": lambda day: day.end("release", "booking-l") and day.refuse("late", at("any", 9)),
    "one who is named": lambda day: (
        day.end("release", "booking-l") and day.refuse("late", at("any", 9, resource="two"))
    ),
    "a move": lambda day: (
        day.retell(place_in(day, "d-move", "reschedule"), status=409, code="slot_conflict", told=None)
        or (day.keys.remove(next(key for key in day.keys if key.key == "d-move")))
        or day.alter("booking-d", start=at("talk", 12).start, end=at("talk", 12).end, version=1)
    ),
    "a commit in time": lambda day: day.call("commit", Asked(booking="booking-g"), 410, code="GONE"),
    "a release of one's own": lambda day: day.call("release", Asked(booking="booking-g"), 410, code="GONE"),
    "a cancellation": lambda day: day.call(
        "cancel", Asked(booking="booking-d", body="x"), 404, key="d-cancel", code="appointment_not_found"
    ),
}
OVERCOMMITTED: dict[str, Doctor] = {
    "a slot": lambda day: day.reserve("late", at("talk", 9), "ana"),
    "a part of a slot": lambda day: day.reserve("late", at("talk", 8, minute=30), "ana"),
    "a buffer alone": lambda day: day.reserve("late", at("talk", 9, minute=55), "ana"),
    "one of several places": lambda day: day.reserve("late", at("dance", 9, minute=30), "hall"),
    "a room": lambda day: day.reserve("late", at("pair", 9), "two", "room"),
    "a group": lambda day: day.reserve("late", GROUP, party=2),
    "before it was free": lambda day: day.retell(place_in(day, "c"), started=1.5, ended=1.6),
    "a move": lambda day: day.move(
        day.reserve("late", at("talk", 15), "ana", operation="book"), "m", at("talk", 12), "ana"
    ),
    "booked in one call": lambda day: day.reserve("late", at("talk", 9), operation="book"),
}


def give_back(day: Practice, number: int, minor: int) -> None:
    """Let the provider have given back another amount of a payment."""
    day.charges.append(replace(day.charges.pop(number), refunded_minor=minor))


MONEY: dict[Kind, dict[str, Doctor]] = {
    K.CHARGED_TWICE: {
        "two payments": lambda day: day.pay("booking-paid-0"),
    },
    K.MONEY_LOST: {
        "a charge without a payment": lambda day: day.charges.append(Charge("pay-x", PRICE, 0)),
        "a charge for what ended": lambda day: (
            day.pay("booking-unpaid") or day.alter("booking-unpaid", state="expired")
        ),
    },
    K.MONEY_MISSING: {
        "a payment without a charge": lambda day: day.charges.clear(),
        "a payment without a charge for what was cancelled": lambda day: day.charges.pop(),
        "confirmed for nothing": lambda day: day.alter("booking-unpaid", state="confirmed"),
    },
    K.MONEY_DIFFERS: {
        "taken": lambda day: day.charges.append(replace(day.charges.pop(0), captured_minor=PRICE + 1)),
        "given back": lambda day: give_back(day, 1, 1),
        "told": lambda day: retell(day, "paid-cancel", "cancel", back_minor=1),
        "kept": lambda day: (
            give_back(day, 0, PRICE // 2)
            or day.payments.append(replace(day.payments.pop(0), refunded_minor=PRICE // 2))
        ),
        "given back in full": lambda day: give_back(day, 1, PRICE),
    },
}
ANSWERS: dict[Kind, dict[str, Doctor]] = {
    K.UNANSWERED: {"no answer": lambda day: day.call("reserve", UNHEARD, 0, key="open")},
    K.FAILED: {"an error": lambda day: day.retell(place_in(day, "b"), status=500, code="internal_error")},
}
DOCTORS: dict[Kind, dict[str, Doctor]] = {
    K.LOST: LOST,
    K.ALTERED: ALTERED,
    K.DOUBLED: DOUBLED,
    K.DIFFERING: DIFFERING,
    K.CONTRADICTED: CONTRADICTED,
    K.UNASKED: UNASKED,
    K.REFUSED_FALSELY: REFUSED_FALSELY,
    K.OVERCOMMITTED: OVERCOMMITTED,
    **MONEY,
    **ANSWERS,
}


@pytest.mark.parametrize(
    ("kind", "doctor"),
    [
        pytest.param(kind, doctor, id=f"{kind}-{name}")
        for kind, each in DOCTORS.items()
        for name, doctor in each.items()
    ],
)
def test_what_is_doctored_is_found_and_named(kind: Kind, doctor: Doctor) -> None:
    """Each kind of broken promise, in each way in which it is made, is found and called by its name."""
    day = practice()
    doctor(day)
    assert kind in {finding.kind for finding in day.findings()}


def test_every_kind_is_doctored() -> None:
    """No kind of finding is without a history that has it; invariants are doctored in a database of their own."""
    assert set(DOCTORS) == set(Kind) - {K.INVARIANT}


def overlapping(day: Practice, key: str, **times: float) -> None:
    """Let a call begin or end at another time."""
    day.retell(place_in(day, key), **times)


SOUND: dict[str, Doctor] = {
    "a repetition that a server made by itself": lambda day: retell(day, "g", replayed=True),
    "refused while somebody cancels": lambda day: overlapping(
        day,
        "b",
        started=call_of(day, "a-cancel", "cancel").ended - 0.1,
        ended=call_of(day, "a-cancel", "cancel").ended + 9,
    ),
    "refused while somebody gives back": lambda day: (
        day.end("release", "booking-f") and day.refuse("late", at("talk", 12)) and day.retell(-1, started=day.now - 1.5)
    ),
    "refused at the brink of expiry": lambda day: (
        setattr(day, "now", call_of(day, "booking-f", "extend").started + 799.1) or day.refuse("late", at("talk", 12))
    ),
    "refused for what nobody was told of": lambda day: (
        day.call("reserve", UNHEARD, 0, key="open")
        and day.call("reserve", UNHEARD, 422, key="open", code="slot_not_offered")
        and day.refuse("late", at("talk", 20))
    ),
    "refused for a release without an answer": lambda day: (
        day.call("release", Asked(booking="booking-f"), 0)
        and day.refuse("late", at("talk", 12))
        and day.end("release", "booking-f")
    ),
    "taken before somebody moved there": came_before_the_move,
    "taken while somebody cancels": lambda day: overlapping(
        day, "c", started=call_of(day, "a-cancel", "cancel").started + 0.01, ended=call_of(day, "c").ended
    ),
    "nobody was told, and it is there": lambda day: (
        day.call("reserve", UNHEARD, 0, key="open")
        and day.call("reserve", UNHEARD, 422, key="open", code="slot_not_offered")
        and day.keys.append(Key("open", "reserve", "booking-open"))
    ),
    "a hold that nobody has swept": lambda day: day.alter("booking-e", state="held"),
    "another attempt has done it": lambda day: day.unheard(call_of(day, "booking-a", "commit")),
    "a payment on its way": lambda day: day.payments.append(
        replace(day.payments.pop(0), captured_minor=0, is_open=True)
    ),
    "repeated when the time to pay is over": lambda day: (
        setattr(day, "now", call_of(day, "booking-unpaid", "commit").started + 950)
        or day.alter("booking-unpaid", state="expired", version=3)
        or day.call("commit", Asked(booking="booking-unpaid"), 410, code="RESERVATION_NOT_FOUND_OR_EXPIRED")
    ),
    "staff know of the money": lambda day: (
        day.charges.append(replace(day.charges.pop(0), refunded_minor=1))
        or day.payments.append(replace(day.payments.pop(0), is_known=True))
    ),
}


@pytest.mark.parametrize("doctor", [pytest.param(doctor, id=name) for name, doctor in SOUND.items()])
def test_what_some_order_of_events_explains_is_no_finding(doctor: Doctor) -> None:
    """Whoever was refused, or taken in, while something else was under way may have come before or after it."""
    day = practice()
    doctor(day)
    assert day.findings() == []


def test_it_is_told_how_what_was_unknown_became_known() -> None:
    """What had no answer at first was done before it was repeated, or then, or was refused, or nobody was ever told."""
    day = practice()
    day.unheard(call_of(day, "g"))
    retell(day, "g", replayed=False)
    day.call("reserve", replace(UNHEARD, body="refused"), 503, key="refused", code="overloaded")
    day.refuse("refused", at("talk", 12))
    day.call("reserve", UNHEARD, 0, key="open")
    # One is in the day already: what was booked in one call.
    assert resolved(day.calls) == {"done before": 1, "done when repeated": 1, "refused": 1, "never": 1}


def test_the_stage_is_the_one_that_is_judged_by() -> None:
    """With fewer places the same history is none that can be kept."""
    day = practice()
    assert STAGE.capacities["hall"] == 3
    day.reserve("late", at("dance", 9), "hall", party=3)
    assert {finding.kind for finding in day.findings()} == {K.OVERCOMMITTED}
