"""The form of a definition: a quiz whose points lead to a level, or a ritual of timed steps.

It is checked whole before it is stored, so that every run of it comes to an end: whatever is chosen in a quiz, exactly
one level is the result.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec

from holdfast.interactive.states import Kind
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Line, worded

_TEXT = worded(r"^[^\x00]*$(?![\s\S])", "must not have the character NUL")
_NAME = worded(r"^[a-z0-9]+(-[a-z0-9]+)*$(?![\s\S])", "must be words of small letters and digits, joined by hyphens")

Text = Annotated[str, msgspec.Meta(max_length=2000, pattern=_TEXT)]
Name = Annotated[str, msgspec.Meta(max_length=40, pattern=_NAME)]
Sum = Annotated[int, msgspec.Meta(ge=-100_000, le=100_000)]
Points = Annotated[int, msgspec.Meta(ge=-1000, le=1000)]


# Members that are not known are refused, since here they are a slip of the pen.
class Option(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What can be chosen, and what it counts for."""

    id: Name
    text: Line
    points: Points


class Question(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A question, to which exactly one option is the answer."""

    id: Name
    text: Text
    options: Annotated[list[Option], msgspec.Meta(min_length=2, max_length=20)]


class Level(msgspec.Struct, rename={"least": "from", "most": "to"}, forbid_unknown_fields=True, kw_only=True):
    """A result for every sum of points from `from` to `to`, both included."""

    id: Name
    least: Sum
    most: Sum
    title: Line
    text: Text = ""


class Quiz(msgspec.Struct, rename="camel", tag_field="kind", tag="quiz", forbid_unknown_fields=True, kw_only=True):
    """Questions whose points add up to a level."""

    title: Line
    intro: Text = ""
    questions: Annotated[list[Question], msgspec.Meta(min_length=1, max_length=100)]
    levels: Annotated[list[Level], msgspec.Meta(min_length=1, max_length=20)]


class RitualStep(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Something to do for a time."""

    id: Name
    text: Text
    duration_seconds: Annotated[int, msgspec.Meta(ge=1, le=7200)]


class Ritual(msgspec.Struct, rename="camel", tag_field="kind", tag="ritual", forbid_unknown_fields=True, kw_only=True):
    """Steps to go through one after the other."""

    title: Line
    intro: Text = ""
    steps: Annotated[list[RitualStep], msgspec.Meta(min_length=1, max_length=100)]


Definition = Quiz | Ritual


def stored(content: dict[str, Any]) -> Definition:
    """Return a definition that was checked before it was stored."""
    definition: Definition = msgspec.convert(content, Definition)
    return definition


def kind_of(definition: Definition) -> Kind:
    """Return which of the two it is."""
    return Kind.QUIZ if isinstance(definition, Quiz) else Kind.RITUAL


def range_of(quiz: Quiz) -> tuple[int, int]:
    """Return the least and the greatest sum of points that answers can have."""
    points = [[option.points for option in question.options] for question in quiz.questions]
    return sum(map(min, points)), sum(map(max, points))


def check(definition: Definition) -> None:
    """Let a definition pass that means something for every run of it.

    Raises ValidationFailed with everything that is wrong, each with its place, as `definition.levels[1].from`.
    """
    wrong = list(_wrong_quiz(definition) if isinstance(definition, Quiz) else _wrong_ritual(definition))
    if wrong:
        errors = [{"field": f"definition.{place}", "message": words} for place, words in wrong]
        first = errors[0]
        raise ValidationFailed(f"{first['field']}: {first['message']}", details={"errors": errors})


def _wrong_ritual(ritual: Ritual) -> Iterator[tuple[str, str]]:
    yield from _repeated("steps", (step.id for step in ritual.steps))


def _wrong_quiz(quiz: Quiz) -> Iterator[tuple[str, str]]:
    yield from _repeated("questions", (question.id for question in quiz.questions))
    for place, question in enumerate(quiz.questions):
        yield from _repeated(f"questions[{place}].options", (option.id for option in question.options))
    yield from _repeated("levels", (level.id for level in quiz.levels))
    backwards = False
    for place, level in enumerate(quiz.levels):
        if level.most < level.least:
            backwards = True
            yield f"levels[{place}].to", "must not be below from"
    if not backwards:
        yield from _holes(quiz)


def _holes(quiz: Quiz) -> Iterator[tuple[str, str]]:
    """Yield where levels leave out a sum or claim one twice, in the order of sums and whatever their own order is."""
    least, most = range_of(quiz)
    ordered = sorted(enumerate(quiz.levels), key=lambda level: level[1].least)
    first, level = ordered[0]
    if level.least > least:
        yield f"levels[{first}].from", f"leaves out {least} to {level.least - 1}: answers can add up to {least}"
    highest = level
    for place, level in ordered[1:]:
        if level.least <= highest.most:
            yield f"levels[{place}].from", f"overlaps with the level {highest.id}, which goes up to {highest.most}"
        elif level.least > highest.most + 1:
            yield f"levels[{place}].from", f"leaves out {highest.most + 1} to {level.least - 1}"
        highest = max(highest, level, key=lambda each: each.most)
    if highest.most < most:
        last = quiz.levels.index(highest)
        yield f"levels[{last}].to", f"leaves out {highest.most + 1} to {most}: answers can add up to {most}"


def _repeated(list_name: str, ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for place, name in enumerate(ids):
        if name in seen:
            yield f"{list_name}[{place}].id", "is the id of another one, too"
        seen.add(name)


def level_of(quiz: Quiz, answers: dict[str, str]) -> Level:
    """Return the level to which answers, an option for each question, add up.

    Raises ValidationFailed, whose words name questions and never what was answered.
    """
    known = {question.id for question in quiz.questions}
    if answers.keys() - known:
        raise ValidationFailed.at("answers", "there is an answer to a question that this quiz does not have")
    total = 0
    for question in quiz.questions:
        chosen = answers.get(question.id)
        points = {option.id: option.points for option in question.options}
        if chosen is None or chosen not in points:
            raise ValidationFailed.at(f"answers.{question.id}", "must be one of the options of this question")
        total += points[chosen]
    return next(level for level in quiz.levels if level.least <= total <= level.most)
