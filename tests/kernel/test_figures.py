"""Figures are exact, bounded, and of all processes together."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.kernel import figures, publication
from holdfast.kernel.figures import Counter, Histogram, Reading, Snapshot
from holdfast.kernel.publication import Publication, families


@pytest.fixture(autouse=True)
def _no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Define figures for one test only."""
    for name in ("_counters", "_histograms", "_readings"):
        monkeypatch.setattr(figures, name, {})


def shown(text: bytes) -> dict[str, float]:
    """Return the samples of Prometheus text by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_labels_are_bounded() -> None:
    """A counter that is given ever new labels keeps a thousand of them, and counts the rest under `other`."""
    counter = Counter("c", "c", ("slug",))
    for number in range(1_500):
        counter.add(str(number))
    assert len(counter.values) == 1_001
    assert counter.values["other",] == 500
    histogram = Histogram("h", "h", ("slug",), bounds=(1,))
    for number in range(1_500):
        histogram.cell(str(number)).observe(0)
    assert len(histogram.cells) == 1_001


def test_what_is_known_is_shown_before_it_is_counted(tmp_path: Path) -> None:
    """Labels that are known are shown as 0, so that the first of a kind is an increase for whoever watches; a process that
    counts on from another one counts right.
    """
    counter = Counter("c", "c", ("code",), known=[("a",)])
    assert shown(Publication("web", tmp_path).text()) == {"c_total[('code', 'a')]": 0}
    counter.add("a")
    counter.add("b")
    left = figures.take(0)
    figures.resume(left)
    assert dict(counter.values) == {("a",): 2, ("b",): 2}


def test_a_name_is_said_once() -> None:
    """Two figures of one name are refused when they are defined."""
    Counter("c", "c")
    with pytest.raises(ValueError, match="another figure"):
        Histogram("c", "c", bounds=(1,))


def test_buckets_hold_what_does_not_exceed_them(tmp_path: Path) -> None:
    """A value counts in each bucket whose bound it does not exceed, the bound itself included, as Prometheus has it."""
    cell = Histogram("h", "h", ("q",), bounds=(1, 2.5)).cell("a")
    for value in (0.5, 1, 2, 3):
        cell.observe(value)
    samples = shown(Publication("web", tmp_path).text())
    assert {name: value for name, value in samples.items() if name.startswith("h_")} == {
        "h_bucket[('le', '1.0'), ('q', 'a')]": 2,
        "h_bucket[('le', '2.5'), ('q', 'a')]": 3,
        "h_bucket[('le', '+Inf'), ('q', 'a')]": 4,
        "h_count[('q', 'a')]": 4,
        "h_sum[('q', 'a')]": 6.5,
    }


def test_processes_are_summed_up() -> None:
    """What was counted is the sum over processes; what was read stands with its process, and not after it is silent."""
    Counter("c", "c", ("code",))
    Histogram("h", "h", bounds=(1,))
    Reading("r", "r")
    snapshots = {
        "web-0": Snapshot(100, {"c": [(("a",), 2)]}, {"h": [((), 3.0, [1, 1])]}, {"r": [((), 7)]}),
        "web-1": Snapshot(99, {"c": [(("a",), 5), (("b",), 1)]}, {"h": [((), 1.0, [2, 0])]}, {"r": [((), 8)]}),
        "web-2": Snapshot(80, {"c": [(("a",), 10)]}, {}, {"r": [((), 9)]}),
    }
    found = {(s.name, *s.labels.values()): s.value for family in families(snapshots) for s in family.samples}
    assert found == {
        ("c_total", "a"): 17,
        ("c_total", "b"): 1,
        ("h_bucket", "1.0"): 3,
        ("h_bucket", "+Inf"): 4,
        ("h_count",): 4,
        ("h_sum",): 4,
        ("r", "web-0"): 7,
        ("r", "web-1"): 8,
    }


def test_who_comes_after_counts_on(tmp_path: Path) -> None:
    """A process takes the place of one that has ended and counts on; one that lives keeps its place."""
    counter = Counter("c", "c")
    first, second = Publication("web", tmp_path), Publication("web", tmp_path)
    assert [first.place, second.place, Publication("worker", tmp_path).place] == ["web-0", "web-1", "worker-0"]
    counter.add(by=3)
    first.publish()
    publication.os.close(first._lock)
    counter.values.clear()
    third = Publication("web", tmp_path)
    counter.add()
    assert third.place == "web-0"
    assert shown(third.text())["c_total[]"] == 4


def test_one_process_needs_no_folder() -> None:
    """A process that is alone shows its own figures."""
    Counter("c", "c").add()
    assert shown(Publication("web", None).text())["c_total[]"] == 1
