"""What a check finds: a promise that was broken, and by which calls."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """Which promise was broken."""

    LOST = "lost"  # acknowledged, and not there
    ALTERED = "altered"  # there, and otherwise than acknowledged
    DOUBLED = "doubled"  # a key with more than one effect
    DIFFERING = "differing"  # one request, told different things
    CONTRADICTED = "contradicted"  # told of two effects that exclude each other
    UNASKED = "unasked"  # there, and nobody has asked for it, or whoever did was refused
    REFUSED_FALSELY = "refused falsely"  # what was refused was free, or one's own
    OVERCOMMITTED = "overcommitted"  # acknowledged to more people than there are places
    UNANSWERED = "unanswered"  # asked again and again, and never told
    FAILED = "failed"  # answered by what is no documented answer
    CHARGED_TWICE = "charged twice"
    MONEY_LOST = "money lost"  # taken, and neither for a booking nor given back nor left to staff
    MONEY_MISSING = "money missing"  # counted as taken, and the provider has not taken it
    MONEY_DIFFERS = "money differs"  # another amount than told or than the provider's
    INVARIANT = "invariant"  # found by holdfast verify


class Finding(msgspec.Struct, frozen=True):
    """One broken promise, in words, with the numbers of the calls that show it."""

    kind: Kind
    what: str
    calls: tuple[int, ...] = ()
