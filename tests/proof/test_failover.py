"""`make failover`: what it says of a run, and the files that it is made from. The run itself is outside CI."""

import re
from pathlib import Path
from string import Template

import pytest
from proof.failover import nodes
from proof.failover.faults import CUT_OFF_FROM_PEERS, FAULTS
from proof.failover.nodes import CONFIGURATION, Cluster
from proof.failover.report import Part, Struck, exit_code, markdown
from proof.failover.run import silence
from proof.findings import Finding, Kind
from proof.history import Asked, Call, History

from house.sources import ROOT
from proving.sound import STAGE

LOST = Finding(Kind.LOST, "a booking")


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A load of which the acknowledgements came after 1, 2, 9 and 10 seconds, and a refusal after 5."""
    with History(tmp_path / "history", 1, STAGE) as kept:
        for number, (ended, status) in enumerate([(1.0, 201), (2.0, 201), (5.0, 409), (9.0, 200), (10.0, 201)]):
            kept.write(Call(number, "client", "reserve", f"k{number}", ended - 0.5, ended, ended, Asked(), status))
        return kept


def part(history: History, *findings: Finding) -> Part:
    """Return a run with one fault."""
    return Part([Struck(FAULTS[0], 7.0)], history, findings)


def test_silence_is_the_longest_time_without_an_acknowledgement(history: History) -> None:
    """The time counts from the fault, and a refusal does not break it (H-3)."""
    assert silence(history, 1.5) == 7.0
    assert silence(history, 9.5) == 0.5


def test_a_run_fails_when_something_is_lost_or_loss_is_not_seen(history: History) -> None:
    """A loss under strict replication is a failure, and so is none under the asynchronous one: the harness would see
    nothing (B-9).
    """
    assert exit_code(part(history), part(history, LOST)) == 0
    assert exit_code(part(history, LOST), part(history, LOST)) == 1
    assert exit_code(part(history), part(history)) == 1


def test_the_table_tells_of_loss(history: History) -> None:
    """What was lost stands in the table, beside how long clients waited."""
    text = markdown(5, part(history), part(history, LOST, LOST))
    assert "| acknowledged and lost | 0 | 2 |" in text
    assert f"| {FAULTS[0].name} | 1 | yes | 7.0 | 7.0 |" in text
    assert "| acknowledged | 4 | 4 |" in text


def test_the_fault_that_loses_is_among_those_that_must_not() -> None:
    """Bookings that asynchronous replication loses are lost by a fault that strict replication survives."""
    assert CUT_OFF_FROM_PEERS in FAULTS


def test_every_word_of_the_templates_is_filled_in(tmp_path: Path) -> None:
    """The files of a node need what the harness gives and docs/high-availability.md names, and nothing else."""
    words = set()
    for file in ("node.env", "etcd.env"):
        words |= set(Template((CONFIGURATION / file).read_text()).get_identifiers())
    documented = (ROOT / "docs" / "high-availability.md").read_text()
    assert {word for word in words if f"`{word}`" not in documented} == set()
    environment = Cluster(tmp_path).nodes[1].environment
    assert environment["PATRONI_NAME"] == environment["ETCD_NAME"] == "node2"
    assert environment["PATRONI_POSTGRESQL_CONNECT_ADDRESS"] == "10.91.1.2:5432"
    assert not [name for name in environment if name.startswith(("PATRONI_", "ETCD_")) and "$" in environment[name]]


def test_no_commit_is_acknowledged_by_one_node_alone() -> None:
    """The configuration that is run, and that production is set up from, waits for a second node strictly (B-9)."""
    text = (nodes.CONFIGURATION / "patroni.yml").read_text()
    said = dict(re.findall(r"^ +(\w+): (\S+)$", text, re.MULTILINE))
    assert (said["synchronous_mode"], said["synchronous_mode_strict"]) == ("true", "true")
    assert said["synchronous_commit"] == '"on"'
    assert int(said["loop_wait"]) + 2 * int(said["retry_timeout"]) <= int(said["ttl"])
