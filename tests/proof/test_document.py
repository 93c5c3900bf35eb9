"""The document of proofs: each command finds its section, and touches no other word."""

from pathlib import Path

import pytest
from proof.document import DOCUMENT, SECTIONS, table, write


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_replaced_alone(section: str, tmp_path: Path) -> None:
    """A command replaces its section as often as it likes, whatever it writes, and nothing else."""
    copy = tmp_path / "proof.md"
    before = DOCUMENT.read_text()
    copy.write_text(before)
    for words in (r"a \1 \g<0> b", "anything else"):
        write(section, words, copy)
        head, _, rest = copy.read_text().partition(f"<!-- begin: {section} -->\n")
        inside, _, tail = rest.partition(f"\n<!-- end: {section} -->")
        assert inside == words
        assert before.startswith(head)
        assert before.endswith(tail)


def test_a_section_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """A section that a document does not have is told, and the document stays."""
    copy = tmp_path / "proof.md"
    copy.write_text("# Proof\n")
    with pytest.raises(ValueError, match="0 sections chaos"):
        write("chaos", "words", copy)
    assert copy.read_text() == "# Proof\n"


def test_a_cell_cannot_break_a_table() -> None:
    """A line of a table has its cells, whatever they say."""
    assert table(["a", "b"], [["1|2", "3"]]) == "| a | b |\n| --- | --- |\n| 1&#124;2 | 3 |"
