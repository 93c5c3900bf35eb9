"""The texts of pages, as a test looks for them."""

from holdfast.kernel.languages import translations


def say(language: str, message: str) -> str:
    """Return a text of the interface in a language; it has to be there."""
    found = translations(language).gettext(message)
    assert language == "en" or found != message, f"{message!r} is in no catalogue"
    return found
