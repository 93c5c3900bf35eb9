"""Figures that the end of a run tells, whatever they are."""

from dataclasses import dataclass, field


@dataclass
class Measured:
    """What was measured and is to be told, whatever it is."""

    lines: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Note a figure in words."""
        self.lines.append(line)
