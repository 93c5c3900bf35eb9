"""The answers alone: one request is told one thing, one key makes one thing, and no two answers exclude each other."""

from collections.abc import Iterable, Iterator

from proof.findings import Finding, Kind
from proof.history import Call
from proof.lives import CLOCK_SECONDS, MAKING, Effect, Life, certain_until

# Repeated, they are answered as the first time, whatever has become of the booking.
REPEATABLE = MAKING | {"commit", "reschedule", "cancel"}
# Operations on a reservation, and on an appointment, that is one's own and lives.
_GONE = "RESERVATION_NOT_FOUND_OR_EXPIRED"
# A refusal for want of places is judged by the places.
_JUDGED_ELSEWHERE = {"slot_conflict", "CAPACITY_EXCEEDED"}


def check_answers(effects: Iterable[Effect], lives: Iterable[Life]) -> Iterator[Finding]:
    """Return what cannot all be true of what clients were told."""
    for effect in effects:
        yield from _failed(effect)
        yield from _unanswered(effect)
        if effect.operation in REPEATABLE:
            yield from _differing(effect)
    told_of: dict[str, Life] = {}
    for life in lives:
        if life.booking is not None:
            other = told_of.setdefault(life.booking, life)
            if other is not life:
                what = f"{other.made.name} and {life.made.name} were both told of booking {life.booking}"
                yield Finding(Kind.DOUBLED, what, (*other.made.ids, *life.made.ids))
            yield from _contradicted(life)


def _failed(effect: Effect) -> Iterator[Finding]:
    for call in (*effect.calls, *effect.strangers):
        if call.status >= 500 and call.status != 503:
            yield Finding(
                Kind.FAILED, f"{call.operation} {effect.name} was answered {call.status} {call.code}", (call.id,)
            )


def _unanswered(effect: Effect) -> Iterator[Finding]:
    if all(call.outcome == "unknown" for call in effect.calls):
        what = f"{effect.operation} {effect.name} was asked {len(effect.calls)} times and never told"
        yield Finding(Kind.UNANSWERED, what, effect.ids)


def _differing(effect: Effect) -> Iterator[Finding]:
    done = [call for call in effect.calls if call.outcome == "done"]
    if not done:
        return
    named = f"{effect.operation} {effect.name}"
    told = {(call.told.booking, call.told.answer) for call in done if call.told is not None}
    if len({booking for booking, _ in told}) > 1:
        yield Finding(Kind.DOUBLED, f"{named} has made {len(told)} bookings", effect.ids)
    elif len(told) > 1:
        yield Finding(Kind.DIFFERING, f"{named} was answered in {len(told)} ways", effect.ids)
    # None has to be: a server that lost its connection in the middle of a commit repeats by itself, once.
    fresh = [call for call in done if call.told is not None and not call.told.replayed]
    if len(fresh) > 1:
        yield Finding(Kind.DOUBLED, f"{named} took effect {len(fresh)} times", tuple(call.id for call in fresh))
    first, until = min(call.ended for call in done), certain_until(effect)
    for call in effect.calls:
        is_over = call.code == _GONE and call.ended > until
        if call.outcome == "refused" and call.started > first and not is_over:
            yield Finding(Kind.DIFFERING, f"{named} was done, and then refused with {call.code}", effect.ids)
    for call in effect.strangers:
        if call.outcome == "done":
            yield Finding(
                Kind.DOUBLED, f"{named}: another request with its key was done as well", (*effect.ids, call.id)
            )


def _contradicted(life: Life) -> Iterator[Finding]:
    commits = [change for change in life.changed("commit") if change.done is not None]
    releases = [change for change in life.changed("release") if change.done is not None]
    cancels = [change for change in life.changed("cancel") if change.done is not None]
    if commits and releases:
        what = f"booking {life.booking} was committed and given back"
        yield Finding(Kind.CONTRADICTED, what, (*commits[0].ids, *releases[0].ids))
    if len(cancels) > 1:
        what = f"booking {life.booking} was cancelled {len(cancels)} times"
        yield Finding(Kind.CONTRADICTED, what, tuple(id_ for cancel in cancels for id_ in cancel.ids))
    for commit in commits:
        if commit.started > life.expires_at_last + CLOCK_SECONDS:
            yield Finding(Kind.CONTRADICTED, f"booking {life.booking} was committed after it had expired", commit.ids)
    for change in life.changes:
        for call in change.calls:
            if call.outcome == "refused" and _is_ones_own(life, change, call):
                what = (
                    f"{call.operation} of booking {life.booking} was refused with {call.code}, and nothing had ended it"
                )
                yield Finding(Kind.REFUSED_FALSELY, what, (call.id,))


def _is_ones_own(life: Life, change: Effect, call: Call) -> bool:
    """Return whether what a call was about was there for certain from its start to its end."""
    if call.code in _JUDGED_ELSEWHERE:
        return False
    ends = [*life.changed("release"), *life.changed("cancel")]
    if any(end.started <= call.ended for end in ends if end is not change) or change.outcome == "unknown":
        return False
    commits = list(life.changed("commit"))
    if change.operation in {"extend", "release"}:
        return call.ended < life.expires - CLOCK_SECONDS and not any(c.started <= call.ended for c in commits)
    if change.operation == "commit":
        return call.ended < min([life.expires - CLOCK_SECONDS, *map(certain_until, commits)])
    moves = (move for move in life.changed("reschedule") if move is not change)
    # Whoever names the version that they saw may have seen the one before.
    is_stale = call.code == "CONFLICT" and any(move.started <= call.ended for move in moves)
    return _is_confirmed(life, call) and not is_stale


def _is_confirmed(life: Life, call: Call) -> bool:
    if life.made.operation == "book":
        return True
    return any(
        commit.done is not None and commit.done.ended < call.started and commit.told.state == "confirmed"
        for commit in life.changed("commit")
    )
