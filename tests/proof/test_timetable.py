"""The faults of a run, as its seed draws them."""

from itertools import islice

from proof.faults import FAULTS
from proof.timetable import drawn

BOUNDS = {kind: fault.seconds for kind, fault in FAULTS.items()}


def test_a_seed_draws_the_same_faults_again() -> None:
    """The same seed gives the same faults at the same servers for the same time, and another seed others."""
    first, again, other = (list(islice(drawn(seed, BOUNDS, 2), 40)) for seed in (7, 7, 8))
    assert first == again
    assert [each.kind for each in first] != [each.kind for each in other]


def test_each_kind_comes_once_in_a_round() -> None:
    """Two rounds have each kind of fault twice, each within its bounds and at a server that there is."""
    two = list(islice(drawn(1, BOUNDS, 2), 2 * len(BOUNDS)))
    for half in (two[: len(BOUNDS)], two[len(BOUNDS) :]):
        assert sorted(each.kind for each in half) == sorted(BOUNDS)
    assert all(BOUNDS[each.kind][0] <= each.seconds <= BOUNDS[each.kind][1] for each in two)
    assert {each.server for each in two} == {0, 1}
