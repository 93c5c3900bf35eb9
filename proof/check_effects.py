"""The database beside the answers: whatever was acknowledged is there with its content, once, and nothing else is."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from proof.findings import Finding, Kind
from proof.history import Told
from proof.lives import MAKING, Effect, Life, place_of
from proof.recorded import Booking, Claim, Recorded
from proof.stage import Stage

_KEYED = MAKING | {"reschedule", "cancel"}
_LIVE = {"held", "pending_payment", "confirmed"}


def check_effects(
    stage: Stage, effects: Sequence[Effect], lives: Sequence[Life], recorded: Recorded
) -> Iterator[Finding]:
    """Return what the database has lost, altered, doubled, or has without anybody's asking."""
    yield from _keys(effects, recorded)
    bookings = {booking.id: booking for booking in recorded.bookings}
    claims: dict[str, list[Claim]] = defaultdict(list)
    for claim in recorded.claims:
        claims[claim.booking].append(claim)
    for life in lives:
        if life.booking is None:
            continue
        found = bookings.get(life.booking)
        if found is None:
            yield Finding(Kind.LOST, f"booking {life.booking} of {life.made.name} is not there", life.ids)
            continue
        yield from _state(life, found, recorded.read_at)
        yield from _content(stage, life, found, claims[found.id])
    named = {key.booking for key in recorded.keys} | {life.booking for life in lives}
    for booking in recorded.bookings:
        if booking.id not in named:
            yield Finding(Kind.UNASKED, f"booking {booking.id} is {booking.state}, and no key has made it")


def _keys(effects: Iterable[Effect], recorded: Recorded) -> Iterator[Finding]:
    asked = {effect.name: effect for effect in effects if effect.operation in _KEYED}
    written = {key.key: key for key in recorded.keys}
    made: dict[str, str] = {}
    for key in recorded.keys:
        effect = asked.get(key.key)
        if effect is None or effect.outcome == "refused":
            how = "nobody has used" if effect is None else "was refused"
            what = f"key {key.key}, which {how}, has had an effect on booking {key.booking}"
            yield Finding(Kind.UNASKED, what, () if effect is None else effect.ids)
        elif effect.done is not None and effect.told.booking != key.booking:
            what = f"key {key.key} is recorded for booking {key.booking} instead of {effect.told.booking}"
            yield Finding(Kind.ALTERED, what, effect.ids)
        if effect is not None and effect.operation in MAKING and key.booking is not None:
            other = made.setdefault(key.booking, key.key)
            if other != key.key:
                yield Finding(Kind.DOUBLED, f"booking {key.booking} was made by {other} and by {key.key}", effect.ids)
    for name, effect in asked.items():
        if effect.done is not None and name not in written:
            yield Finding(
                Kind.LOST, f"{effect.operation} {name} was acknowledged, and its key is not there", effect.ids
            )


def _state(life: Life, found: Booking, read_at: float) -> Iterator[Finding]:
    possible, passed = _states(life, read_at)
    if found.state not in possible:
        # What it was before an acknowledged change: that change is lost.
        kind = Kind.LOST if found.state in passed else Kind.ALTERED
        what = f"booking {found.id} is {found.state} instead of {' or '.join(sorted(possible))}"
        yield Finding(kind, what, life.ids)
    versions = [effect.told.version or 1 for effect in (life.made, *life.changes) if effect.done is not None]
    if found.version < max(versions):
        what = f"booking {found.id} is at version {found.version}, and {max(versions)} was acknowledged"
        yield Finding(Kind.LOST, what, life.ids)


def _states(life: Life, read_at: float) -> tuple[set[str], set[str]]:
    """Return in which states a booking may be now, and in which ones it was before the last change that was told."""
    assert life.made.done is not None, "its booking is known"
    states, passed = {life.made.told.state or "held"}, set[str]()
    for change in life.changes:
        if change.outcome == "refused" or change.operation not in {"commit", "release", "cancel"}:
            continue
        becomes = {"release": {"released"}, "cancel": {"cancelled"}}.get(change.operation)
        if becomes is None:
            becomes = {"confirmed", "pending_payment"} if change.done is None else {change.told.state or "confirmed"}
        if change.done is None:
            states |= becomes
        else:
            passed |= states
            states = becomes
    now = life.made.done.started + read_at - life.made.done.at
    if "held" in states and now > life.expires:
        states |= {"expired"}
    if "pending_payment" in states:
        # A payment is told of by the provider, not by the client; how it ends is for the check of money.
        states |= {"confirmed", "expired"}
    if states & {"cancelled"} and "pending_payment" in passed | states:
        states |= {"refunded"}
    return states, passed - states | ({"expired"} if "held" in passed else set())


def _content(stage: Stage, life: Life, found: Booking, claims: list[Claim]) -> Iterator[Finding]:
    moves = list(life.changed("reschedule"))
    last = [life.made, *(move for move in moves if move.done is not None)][-1]
    doubtful = [move for move in moves if move.done is None]
    possible = [_told_place(effect) for effect in (last, *doubtful)]
    now = (found.service, found.schedule, found.start, found.end)
    if now not in possible:
        yield Finding(Kind.ALTERED, f"booking {found.id} is at {now} instead of {possible[0]}", life.ids)
        return
    party = life.made.calls[0].asked.party or 1
    if found.party != party:
        yield Finding(Kind.ALTERED, f"booking {found.id} is for {found.party} instead of {party}", life.ids)
    if found.state in _LIVE and not doubtful:
        wanted = _wanted_claims(stage, last.told, found)
        taken = sorted((claim.resource, claim.start, claim.end, claim.places) for claim in claims)
        if wanted is not None and wanted != taken:
            what = f"booking {found.id}, {found.state} at version {found.version}, takes {taken} instead of {wanted}"
            yield Finding(Kind.ALTERED, what, life.ids)


def _told_place(effect: Effect) -> tuple[str | None, str | None, int | None, int | None]:
    place = place_of(effect)
    return place.service, place.schedule, place.start, place.end


def _wanted_claims(stage: Stage, told: Told, found: Booking) -> list[tuple[str, int, int, int]] | None:
    if found.service is None:
        return []
    if told.resources is None:
        # One call that books does not tell of resources.
        return None
    from_, until = stage.offer(found.service).span(found.start)
    return sorted((of, from_, until, found.party if stage.capacities[of] > 1 else 1) for of in told.resources)
