"""The glossary: terms with their synonyms. A name, in whatever case, belongs to one term."""

import unicodedata
from typing import Annotated
from uuid import UUID

import msgspec

from holdfast.booking.views import Locale
from holdfast.content.errors import GlossaryNameTaken
from holdfast.content.shapes import TEXT, TermView
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Line
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.content", "library.sql")

Definition = Annotated[str, msgspec.Meta(min_length=1, max_length=5000, pattern=TEXT)]
Synonyms = Annotated[list[Line], msgspec.Meta(max_length=50)]


class TermBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new term."""

    term: Line
    definition: Definition
    locale: Locale
    synonyms: Synonyms = []
    business_id: UUID | None = None


class TermChange(msgspec.Struct, rename="camel", kw_only=True):
    """What is to be another in a term; what is left out stays, and `synonyms` replace those before."""

    term: Line | None = None
    definition: Definition | None = None
    locale: Locale | None = None
    synonyms: Synonyms | None = None
    business_id: UUID | None = None


def fold(name: str) -> str:
    """Return what two names have in common that differ only in case, spacing or the way they are encoded.

    Written here and not in SQL, where upper and lower case depend on how the database was created.
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


async def read_term(tx: Transaction, term_id: UUID) -> TermView:
    """Return a term; raises NotFound."""
    found = await tx.first(TermView, _SQL["read_term"], {"business_id": tx.business_id, "id": term_id})
    if found is None:
        raise NotFound
    return found


async def add_term(tx: Transaction, wanted: TermBody, actor: Actor) -> TermView:
    """Make a term; raises GlossaryNameTaken, ValidationFailed for names that are empty or given twice."""
    term_id = new_id()
    values = {"term": wanted.term, "definition": wanted.definition, "locale": wanted.locale}
    await tx.run(_SQL["add_term"], {"business_id": tx.business_id, "id": term_id, **values})
    await _name(tx, term_id, wanted.term, wanted.synonyms)
    await record(tx, "glossary_term", term_id, "create", actor)
    return await read_term(tx, term_id)


async def change_term(tx: Transaction, term_id: UUID, changes: TermChange, actor: Actor) -> TermView:
    """Change a term; raises NotFound, GlossaryNameTaken, ValidationFailed for names that are empty or given twice."""
    this = {"business_id": tx.business_id, "id": term_id}
    await tx.run(_SQL["lock_term"], this)
    before = await read_term(tx, term_id)
    term = before.term if changes.term is None else changes.term
    synonyms = before.synonyms if changes.synonyms is None else changes.synonyms
    values = {"term": term, "definition": changes.definition, "locale": changes.locale}
    await tx.run(_SQL["change_term"], this | values)
    await tx.run(_SQL["forget_names"], this)
    await _name(tx, term_id, term, synonyms)
    await record(tx, "glossary_term", term_id, "change", actor)
    return await read_term(tx, term_id)


async def remove_term(tx: Transaction, term_id: UUID, actor: Actor) -> None:
    """Remove a term with its synonyms; raises NotFound."""
    if await tx.run(_SQL["remove_term"], {"business_id": tx.business_id, "id": term_id}) == 0:
        raise NotFound
    await record(tx, "glossary_term", term_id, "remove", actor)


async def _name(tx: Transaction, term_id: UUID, term: str, synonyms: list[str]) -> None:
    names = [term, *synonyms]
    folded = [fold(name) for name in names]
    for place, name in enumerate(folded):
        if not name:
            raise ValidationFailed.at(_field(place), "must have a letter")
        if name in folded[:place]:
            raise ValidationFailed.at(_field(place), "is a name of this term already")
    values = {"business_id": tx.business_id, "id": term_id, "folded": folded, "names": names}
    given = {row["folded"] for row in await tx.rows(_SQL["give_names"], values)}
    taken = next((place for place, name in enumerate(folded) if name not in given), None)
    if taken is not None:
        raise GlossaryNameTaken(details={"field": _field(taken)})


def _field(place: int) -> str:
    """Return what the name at this place is called in a body: the term stands before its synonyms."""
    return "term" if place == 0 else f"synonyms[{place - 1}]"
