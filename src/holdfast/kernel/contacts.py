"""How bodies write what reaches a person: e-mail addresses, phone numbers, languages."""

from typing import Annotated

import msgspec

from holdfast.kernel.http import worded

_EMAIL = worded(r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$(?![\s\S])", "must be an e-mail address")
_PHONE = worded(
    r"^\+?[ ().-]*[0-9][0-9 ().-]*$(?![\s\S])",
    "must be a phone number: digits, spaces and ( ) . - after an optional +",
)
_LOCALE = worded(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$(?![\s\S])", "must be a language like en or pt-BR")

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=_EMAIL)]
Phone = Annotated[str, msgspec.Meta(min_length=3, max_length=32, pattern=_PHONE)]
Locale = Annotated[str, msgspec.Meta(pattern=_LOCALE, max_length=35)]
