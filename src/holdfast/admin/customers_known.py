"""Whom pages are about, without telling who it is: addresses of pages name a person by a blind index (D-5).

An address of a page is kept by browsers, and by whoever is sent it. The index of an e-mail address or phone number
finds the same rows as these do, and tells nobody without the keys of the business what they are.
"""

import re
from dataclasses import dataclass
from typing import Literal

from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.privacy import Handles, TenantKeys

_SHAPE = re.compile(r"(email|phone)-([0-9a-f]{32})", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+?[0-9 ().-]+", re.ASCII)
_FEWEST_DIGITS = 3
_LONGEST = 254
NO_CONTACT = N_("Type a whole e-mail address or phone number")


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody, by one way in which they are reached."""

    kind: Literal["email", "phone"]
    index: bytes

    def __str__(self) -> str:
        return f"{self.kind}-{self.index.hex()}"

    @property
    def handles(self) -> Handles:
        """Return by what a person is found."""
        return Handles(email=self.index) if self.kind == "email" else Handles(phone=self.index)


def known_by(keys: TenantKeys, text: str) -> Known | None:
    """Return whom an e-mail address or phone number reaches; None for what is neither."""
    if len(text) > _LONGEST:
        return None
    if _EMAIL.fullmatch(text):
        return Known("email", keys.index_email(text))
    if _PHONE.fullmatch(text) and sum(c.isdigit() for c in text) >= _FEWEST_DIGITS:
        return Known("phone", keys.index_phone(text))
    return None


def known_in(text: str | None) -> Known | None:
    """Return whom the address of a page names; raises ValidationFailed for what names nobody."""
    if not text:
        return None
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValidationFailed.at("who", "is nobody")
    return Known("email" if found[1] == "email" else "phone", bytes.fromhex(found[2]))
