"""What is wrong with what somebody typed, in words: at its field, and why a form is shown again."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.admin.frame import AdminPage, Form, words
from holdfast.administration.errors import TemplateChanged
from holdfast.booking.errors import VersionConflict
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_

_LOOK = N_("Not everything is filled in as it has to be; nothing was saved. Look at the fields that are marked.")
_CHANGED = N_(
    "Somebody else has changed this in the meantime, so nothing was saved. Look at how it is now; what you typed is"
    " still here and can be sent again."
)
_MISSING = N_("is missing")
_BAD = N_("is not written as this field has to be")

# What fields are told by the use cases and shapes below: said here so that catalogues have it.
TOLD = (
    N_("must be words of small letters and digits, joined by hyphens"),
    N_("must not have control characters"),
    N_("must not have the character NUL"),
    N_("must have words, and must not have the character NUL"),
    N_("there is none with this slug"),
    N_("names an asset twice"),
    N_("names an asset that there is not"),
    N_("must have a letter"),
    N_("is a name of this term already"),
    N_("there is no such item"),
    N_("is listed twice"),
    N_("is the newest version already"),
    N_("must be another lead"),
    N_("one of email, phone and messenger is needed"),
    N_("must be a path of this site, like /booking/slot/"),
    N_("must be 3 to 64 letters, digits, _ and -"),
    N_("must be letters, digits and _ + . - without blanks, with a letter and six digits at most"),
    N_("must have more than blanks and @, and no control characters"),
    N_("must be a SHA-256 as 64 small hexadecimal digits"),
    N_("must be a media type like image/png"),
    N_("must be an https address, or a path on the site that begins with one slash"),
    N_("is the id of another one, too"),
    N_("must not be below from"),
    N_("must be a date like 2026-11-21"),
)
# The same with what they name, and how the libraries below put it.
_PATTERNS = (
    (r"Expected `str` of length <= (?P<most>\d+)", N_("is too long: at most %(most)s characters")),
    (r"Expected `array` of length <= (?P<most>\d+)", N_("is too many: at most %(most)s")),
    (r"Expected `array` of length >= (?P<least>\d+)", N_("is too few: at least %(least)s")),
    (r"Expected `int` <= (?P<most>-?\d+)", N_("must be at most %(most)s")),
    (r"Expected `int` >= (?P<least>-?\d+)", N_("must be at least %(least)s")),
    (r"Expected `str` of length >= 1", _MISSING),
    (r"Object missing required field `(?P<name>\w+)`", N_("%(name)s is missing")),
    (r"Object contains unknown field `(?P<name>\w+)`", N_("%(name)s is not known here")),
    (r"is not JSON: (?P<why>.+)", N_("is not JSON: %(why)s")),
    (r"must stay (?P<kind>\w+)", N_("must stay %(kind)s")),
    (r"must be one of (?P<words>.+)", N_("must be one of: %(words)s")),
    (
        r"leaves out (?P<first>-?\d+) to (?P<last>-?\d+): answers can add up to (?P<sum>-?\d+)",
        N_("leaves out %(first)s to %(last)s: answers can add up to %(sum)s"),
    ),
    (r"leaves out (?P<first>-?\d+) to (?P<last>-?\d+)", N_("leaves out %(first)s to %(last)s")),
    (
        r"line (?P<line>\d+), column (?P<column>\d+): two braces.*",
        N_("line %(line)s, column %(column)s: two braces begin and end a placeholder, like {{ name }}"),
    ),
    (
        r"line (?P<line>\d+), column (?P<column>\d+): there is no such placeholder; there are (?P<known>.+)",
        N_("line %(line)s, column %(column)s: there is no such placeholder; there are %(known)s"),
    ),
    (
        r"overlaps with the level (?P<level>\S+), which goes up to (?P<most>-?\d+)",
        N_("overlaps with the level %(level)s, which goes up to %(most)s"),
    ),
)
_RULES = tuple((re.compile(pattern), text) for pattern, text in _PATTERNS)
_ABSENT = re.compile(r"Object missing required field `(\w+)`")


@dataclass(frozen=True, slots=True)
class Slip:
    """Why a form is shown again: in words, what is wrong with which field, and with which status that is answered.

    `other` is what belongs to no field of the form, or to a place within one: pairs of the place and what is wrong.
    """

    told: str
    wrong: Mapping[str, str] = field(default_factory=dict)
    other: tuple[tuple[str, str], ...] = ()
    status: int = 400
    is_stale: bool = False


def slip_of(page: AdminPage, error: UserError, form: Form | None = None) -> Slip:
    """Return why a form is shown again; a place in a list, like `topics[2]`, is told at the field of the list."""
    count_refusal(error.code)
    if isinstance(error, VersionConflict | TemplateChanged):
        return Slip(page.text(_CHANGED), status=error.status, is_stale=True)
    if not isinstance(error, ValidationFailed):
        named = error.details.get("field")
        told = words(page.language, error)
        return Slip(told, {_field(named): told} if isinstance(named, str) else {}, status=error.status)
    wrong: dict[str, str] = {}
    other: list[tuple[str, str]] = []
    for one in error.details.get("errors") or ():
        place, problem = one["field"], one["message"]
        absent = _ABSENT.match(problem)
        if absent and place == "body":
            place, problem = absent[1], _MISSING
        name = _field(place)
        if form is not None and name in form.fields and not raw(form, name):
            problem = _MISSING
        text = said(page, problem)
        if form is None or name in form.fields:
            wrong[name] = f"{wrong[name]}; {text}" if name in wrong and place == name else wrong.get(name, text)
        if "." in place or (form is not None and name not in form.fields):
            other.append((place, text))
    return Slip(page.text(_LOOK), wrong, tuple(other), error.status)


def typed_in(form: Form | None) -> Mapping[str, str]:
    """Return what was typed, to be shown again; a field that was not sent is empty."""
    return defaultdict(str, {} if form is None else form.as_typed())


def raw(form: Form, name: str) -> str:
    """Return a field as it was typed, but for blanks around it: whoever writes for readers means every sign of it."""
    return (form.fields.get(name) or [""])[-1].strip()


def said(page: AdminPage, problem: str) -> str:
    """Return what is wrong with a field in the language of the page."""
    for pattern, text in _RULES:
        found = pattern.match(problem)
        if found:
            return page.text(text, **found.groupdict())
    # What only a machine would understand is not told to people.
    is_for_machines = problem.startswith(("Expected", "Invalid", "Object"))
    return page.wording.text(_BAD if is_for_machines else problem)


def _field(place: str) -> str:
    return re.split(r"[.\[]", place, maxsplit=1)[0]
