"""What the doctor says."""

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at: how it is, and what to do about it if it is not as it should be.

    A problem keeps Holdfast from serving, or from keeping its promises. A warning wants a look.
    """

    check: str
    level: Level
    message: str
    advice: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def ok(check: str, message: str, **details: Any) -> Finding:
    """Return that something is as it should be."""
    return Finding(check, "ok", message, details=details)


def warning(check: str, message: str, advice: str, **details: Any) -> Finding:
    """Return that something wants a look."""
    return Finding(check, "warning", message, advice, details)


def problem(check: str, message: str, advice: str, **details: Any) -> Finding:
    """Return that something must be mended."""
    return Finding(check, "problem", message, advice, details)
