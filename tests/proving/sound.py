"""A history by hand, with the database that goes with it: sound, until a test doctors it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec.structs import replace
from proof.check import judge
from proof.check_money import Charge
from proof.findings import Finding
from proof.history import Asked, Call, Heading, Place, Told
from proof.recorded import Booking, Claim, Key, Payment, Recorded
from proof.stage import Group, Offer, Stage

DAY, HOUR = 86_400, 3_600
# The monotonic clock began to run at this time of day.
EPOCH = 1_000_000.0
PRICE = 1_000

STAGE = Stage(
    business="business",
    slug="proof",
    capacities={"ana": 1, "one": 1, "two": 1, "room": 1, "hall": 3, "till": 1},
    offers=[
        Offer("talk", "talk", [["ana"]], 50, 0, 10, 0, []),
        Offer("pair", "pair", [["one", "two"], ["room"]], 60, 0, 0, 0, []),
        Offer("any", "any", [["one", "two"]], 60, 0, 0, 0, []),
        Offer("dance", "dance", [["hall"]], 60, 0, 0, 0, []),
        Offer("paid", "paid", [["till"]], 60, 0, 0, PRICE, []),
    ],
    groups=[Group("group", DAY, DAY + HOUR, 4)],
)


@dataclass
class Practice:
    """What clients were told, second by second, and what there is in the end."""

    calls: list[Call] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    bookings: dict[str, Booking] = field(default_factory=dict)
    resources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    extra_claims: list[Claim] = field(default_factory=list)
    now: float = 0.0

    def call(
        self,
        operation: str,
        asked: Asked,
        status: int,
        *,
        key: str | None = None,
        code: str | None = None,
        told: Told | None = None,
        seconds: float = 0.4,
    ) -> Call:
        """Add a call that begins a second after the one before; one without a key names a booking."""
        self.now += 1
        call = Call(
            len(self.calls),
            "c",
            operation,
            key,
            self.now,
            self.now + seconds,
            EPOCH + self.now,
            asked,
            status,
            code,
            told,
        )
        self.calls.append(call)
        return call

    def reserve(
        self, key: str, place: Place, *resources: str, party: int = 1, ttl: int = 600, operation: str = "reserve"
    ) -> str:
        """Let somebody take a place; return the booking, which is named after its key."""
        booking, expires = f"booking-{key}", EPOCH + self.now + 1.2 + ttl
        state = "held" if operation == "reserve" else "confirmed"
        told = Told(
            booking,
            state,
            place.start,
            place.end,
            resources or None,
            party,
            1,
            expires if operation == "reserve" else None,
            answer=f"made {key}",
        )
        self.call(operation, Asked(place, party, ttl, body=key), 201, key=key, told=told)
        due = PRICE if place.service == "paid" else None
        start, end = place.start or 0, place.end or 0
        self.bookings[booking] = Booking(booking, place.service, place.schedule, start, end, party, state, 1, due)
        self.resources[booking] = resources
        self.keys.append(Key(key, operation, booking))
        return booking

    def refuse(self, key: str, place: Place, code: str = "slot_conflict", party: int = 1) -> Call:
        """Let somebody be refused a place."""
        status = 409 if code == "slot_conflict" else 400
        return self.call("reserve", Asked(place, party, 600, body=key), status, key=key, code=code)

    def commit(self, booking: str, state: str = "confirmed") -> Call:
        """Let what is held be committed."""
        expires = EPOCH + self.now + 900 if state == "pending_payment" else None
        told = Told(booking, state, party=1, version=2, expires=expires, answer=f"committed {booking}")
        self.alter(booking, state=state, version=2)
        return self.call("commit", Asked(booking=booking), 201, told=told)

    def end(self, operation: str, booking: str, key: str | None = None, back_minor: int | None = None) -> Call:
        """Let a booking be released or cancelled."""
        if operation == "release":
            self.alter(booking, state="released")
            return self.call("release", Asked(booking=booking), 204, told=Told(booking))
        version = self.bookings[booking].version + 1
        self.alter(booking, state="cancelled", version=version)
        self.keys.append(Key(key or "", f"cancel {booking}", booking))
        told = Told(booking, "cancelled", version=version, back_minor=back_minor, answer=f"cancelled {booking}")
        return self.call("cancel", Asked(booking=booking, body="cancel"), 200, key=key, told=told)

    def move(self, booking: str, key: str, place: Place, *resources: str) -> Call:
        """Let an appointment be moved."""
        version = self.bookings[booking].version + 1
        self.alter(booking, start=place.start, end=place.end, version=version)
        self.resources[booking] = resources
        self.keys.append(Key(key, f"reschedule {booking}", booking))
        told = Told(booking, "confirmed", place.start, place.end, resources, 1, version, answer=f"moved {booking}")
        return self.call("reschedule", Asked(place, 1, booking=booking, body=key), 200, key=key, told=told)

    def again(self, call: Call) -> Call:
        """Repeat a call, and be told the same."""
        told = None if call.told is None else replace(call.told, replayed=True)
        return self.call(call.operation, call.asked, 200, key=call.key, told=told)

    def unheard(self, call: Call) -> Call:
        """Put an attempt without an answer before a call: it took effect, and the answer to it was lost."""
        at = self.calls.index(call)
        told = None if call.told is None else replace(call.told, replayed=True)
        lost = replace(
            call, id=len(self.calls), started=call.started - 0.9, ended=call.started - 0.1, status=0, told=None
        )
        self.calls[at] = replace(call, status=200, told=told)
        self.calls.append(lost)
        return lost

    def pay(self, booking: str, back_minor: int = 0) -> None:
        """Let a booking be paid at the provider, and something of it go back."""
        self.payments.append(Payment(booking, f"pay-{booking}", PRICE, back_minor, False, False))
        self.charges.append(Charge(f"pay-{booking}", PRICE, back_minor))
        if self.bookings[booking].state == "pending_payment":
            self.alter(booking, state="confirmed", version=3)

    def alter(self, booking: str, **values: object) -> None:
        """Change a row."""
        self.bookings[booking] = replace(self.bookings[booking], **values)

    def retell(self, index: int, **values: object) -> None:
        """Change a call."""
        self.calls[index] = replace(self.calls[index], **values)

    def recorded(self) -> Recorded:
        """Return what the database holds in the end; the claims are those of what lives."""
        claims = list(self.extra_claims)
        for booking in self.bookings.values():
            if booking.service is not None and booking.state in {"held", "confirmed", "pending_payment"}:
                span = STAGE.offer(booking.service).span(booking.start)
                for of in self.resources[booking.id]:
                    places = booking.party if STAGE.capacities[of] > 1 else 1
                    claims.append(Claim(booking.id, of, *span, places))
        return Recorded(EPOCH + self.now + 1, self.keys, list(self.bookings.values()), claims, self.payments)

    def findings(self) -> list[Finding]:
        """Return what the checker says."""
        return judge(Heading(1, "proof-1", STAGE), self.calls, self.recorded(), self.charges)


Doctor = Callable[[Practice], object]


def at(service: str, hour: int, *, minute: int = 0, resource: str | None = None) -> Place:
    """Return a place of a service."""
    start = DAY + hour * HOUR + minute * 60
    return Place(service, None, start, start + STAGE.offer(service).minutes * 60, resource)


GROUP = Place(None, "group", DAY, DAY + HOUR)


def practice() -> Practice:
    """Return a day on which all that can happen has happened."""
    day = Practice()
    # One place: taken, refused to another, cancelled, taken again, given back, moved to.
    first = day.reserve("a", at("talk", 9), "ana")
    day.again(day.commit(first))
    day.refuse("b", at("talk", 9))
    day.refuse("buffer", at("talk", 9, minute=55))
    day.again(day.end("cancel", first, "a-cancel"))
    second = day.reserve("c", at("talk", 9), "ana")
    day.call("reserve", Asked(at("talk", 9), 2, 600, body="other"), 422, key="c", code="idempotency_key_reused")
    day.end("release", second)
    third = day.reserve("d", at("talk", 12), "ana", operation="book")
    day.unheard(day.calls[-1])
    day.move(third, "d-move", at("talk", 9), "ana")
    fourth = day.reserve("e", at("talk", 12), "ana", ttl=3)
    day.now += 5
    day.call("commit", Asked(booking=fourth), 410, code="RESERVATION_NOT_FOUND_OR_EXPIRED")
    day.alter(fourth, state="expired")
    fifth = day.reserve("f", at("talk", 12), "ana", ttl=60)
    day.call("extend", Asked(booking=fifth, ttl_seconds=800), 200, told=Told(fifth, expires=EPOCH + day.now + 801))
    # Several places, anybody of two, and two things at once.
    for key, party in (("g", 1), ("h", 2)):
        day.reserve(key, at("dance", 9), "hall", party=party)
        day.reserve(f"group-{key}", GROUP, party=party)
    day.refuse("i", at("dance", 9, minute=30))
    day.refuse("group-i", GROUP, "CAPACITY_EXCEEDED", party=2)
    day.reserve("j", at("pair", 9), "one", "room")
    day.refuse("k", at("pair", 9))
    day.reserve("l", at("any", 9), "two")
    day.refuse("m", at("any", 9))
    # What is paid beforehand: paid, cancelled with half of it back, and given up.
    for number, back in enumerate((0, PRICE // 2)):
        paid = day.reserve(f"paid-{number}", at("paid", 9 + number), "till")
        day.commit(paid, "pending_payment")
        day.pay(paid, back)
    day.end("cancel", paid, "paid-cancel", PRICE // 2)
    day.commit(day.reserve("unpaid", at("paid", 12), "till"), "pending_payment")
    return day
