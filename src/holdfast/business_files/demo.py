"""The demo business, whose file travels with the package."""

from importlib.resources import files
from pathlib import Path

_NAME = "emotional-balance.toml"


def demo_text() -> str:
    """Return the text of examples/emotional-balance.toml: the copy in the wheel or, installed editably, the file."""
    packaged = files(__package__) / _NAME
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / "examples" / _NAME).read_text(encoding="utf-8")
