"""Settings and flags of a business: declared in the code, changed by staff, each change in the audit log."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from holdfast.administration.errors import UnknownSetting
from holdfast.identity import businesses
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import Scalar, one_of, whole

_SQL = load(__package__)


class Stage(StrEnum):
    """What kind of server this is, from the one that only we see to the one that everybody does."""

    INTERNAL = "internal"
    STAGE = "stage"
    PROD = "prod"


# A slash at the end is what people copy from where they see the address.
_ORIGIN = re.compile(r"(https?://(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::([0-9]{1,5}))?)/?", re.ASCII | re.IGNORECASE)
_MOST_ORIGINS = 10
_LAST_PORT = 65_535

# How far something new has come: nowhere, then to ever more servers.
_SCOPES = ("off", Stage.INTERNAL, Stage.STAGE, Stage.PROD)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; `allows` returns a value as it is stored, or None for one that it cannot have."""

    key: str
    type: Literal["flag", "number", "word", "sites"]
    default: Scalar
    meaning: str
    allows: Callable[[object], Scalar | None]
    # What may be chosen, or the least and the greatest number; nothing where people write what they like.
    choice: tuple[Scalar, ...]
    # Who may change it.
    permission: Permission = Permission.CHANGE_SETTINGS
    # Whether it is part of the picture of a business that servers keep.
    in_picture: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """What a setting is for a business; `changed_at` is None while it is the default."""

    setting: Setting
    value: Scalar
    changed_at: datetime | None


SETTINGS: dict[str, Setting] = {}


def flag(key: str, meaning: str) -> Setting:
    """Declare a flag: off, or on at servers up to a stage. It is off until somebody turns it on."""
    return _declared(Setting(key, "flag", "off", meaning, one_of(*_SCOPES), tuple(map(str, _SCOPES))))


def number(key: str, meaning: str, *, default: int, least: int, most: int, in_picture: bool = False) -> Setting:
    """Declare a whole number within bounds."""
    allows = whole(least, most)
    return _declared(Setting(key, "number", default, meaning, allows, (least, most), in_picture=in_picture))


def word(key: str, meaning: str, *words: str, in_picture: bool = False) -> Setting:
    """Declare a choice of words, of which the first is the default."""
    return _declared(Setting(key, "word", words[0], meaning, one_of(*words), words, in_picture=in_picture))


def sites(key: str, meaning: str) -> Setting:
    """Declare a list of sites, as origins with a blank between them, like https://example.org; none by default."""
    return _declared(Setting(key, "sites", "", meaning, origins_in, ()))


def origins_in(value: object) -> str | None:
    """Return a list of origins as browsers write them (RFC 6454, section 6.2), each once; None for what is none."""
    if not isinstance(value, str):
        return None
    found = [
        match[1].lower()
        for each in value.split()
        if (match := _ORIGIN.fullmatch(each)) and 0 < int(match[2] or 1) <= _LAST_PORT
    ]
    if len(found) != len(value.split()) or len(found) > _MOST_ORIGINS:
        return None
    return " ".join(dict.fromkeys(found))


def _declared(setting: Setting) -> Setting:
    if setting.key in SETTINGS:
        raise ValueError(f"setting {setting.key} is declared already")
    assert setting.allows(setting.default) == setting.default, f"{setting.key} does not allow its default"
    SETTINGS[setting.key] = setting
    return setting


GCAL_INTEGRATION = flag("gcal_integration_enabled", "Whether calendars of Google can be connected")
CALENDAR_OUTAGE = word(
    "calendar_outage",
    "What happens to the times of whoever's calendar has not answered for too long",
    "hide",
    "keep",
    in_picture=True,
)
CALENDAR_FRESHNESS_MINUTES = number(
    "calendar_freshness_minutes",
    "For how long a calendar may not answer",
    default=60,
    least=5,
    most=1_440,
    in_picture=True,
)
CALENDAR_TENTATIVE = word(
    "calendar_tentative", "Whether an event that is only tentative in somebody's calendar blocks time", "busy", "free"
)
EMBEDDING_SITES = sites("embedding_sites", "Which sites may show the booking page within their own")
REMINDER_HOURS = number(
    "reminder_hours", "How long before an appointment its client is reminded", default=24, least=1, most=168
)
MESSAGE_DAYS = number(
    "message_days",
    "For how many days it is kept to whom messages went and what they said",
    default=30,
    least=1,
    most=365,
)

WAITLIST_OFFER_MINUTES = number(
    "waitlist_offer_minutes",
    "How long whoever waits may consider a place that is offered",
    default=120,
    least=5,
    most=1_440,
)


def is_on(value: Scalar, stage: Stage) -> bool:
    """Return whether a flag of this value is on at a server of this stage."""
    return _SCOPES.index(str(value)) >= _SCOPES.index(stage)


async def read(tx: Transaction, setting: Setting) -> Scalar:
    """Return the value of a setting for the business."""
    stored = await tx.value(_SQL["setting"], {"business_id": tx.business_id, "key": setting.key})
    return _usable(setting, stored)


async def flag_is_on(tx: Transaction, setting: Setting, stage: Stage) -> bool:
    """Return whether a flag of the business is on at a server of this stage."""
    return is_on(await read(tx, setting), stage)


async def values_of(tx: Transaction) -> list[Value]:
    """Return every setting with its value for the business, in alphabetical order."""
    stored = {row["key"]: row for row in await tx.rows(_SQL["settings"], {"business_id": tx.business_id})}
    return [_value(SETTINGS[key], stored.get(key)) for key in sorted(SETTINGS)]


async def change(tx: Transaction, key: str, value: Any, staff: Staff, reason: str | None = None) -> Value:
    """Give a setting a value, or its default for None; return what it is now. Nothing is written when it is so already.

    Raises UnknownSetting, Forbidden when it is not theirs to change, ValidationFailed.
    """
    setting = SETTINGS.get(key)
    if setting is None:
        raise UnknownSetting
    if not staff.may(setting.permission):
        raise Forbidden
    wanted = None if value is None else setting.allows(value)
    if value is not None and wanted is None:
        raise ValidationFailed.at("value", _allowed(setting))
    values = {"business_id": tx.business_id, "key": key}
    # One after another: what was before is told in the audit log.
    await tx.run(_SQL["lock_setting"], values)
    [before] = [each for each in await values_of(tx) if each.setting is setting]
    if wanted is None:
        await tx.run(_SQL["forget_setting"], values)
    elif before.changed_at is None or before.value != wanted:
        await tx.run(_SQL["put_setting"], values | {"value": msgspec.json.encode(wanted).decode()})
    [after] = [each for each in await values_of(tx) if each.setting is setting]
    if after != before:
        was, now = _shown(before.value), _shown(after.value)
        await record(
            tx, "setting", aggregate_of(tx, key), "change_setting", staff.actor, before=was, after=now, reason=reason
        )
        if setting.in_picture:
            await businesses.raise_catalog_version(tx)
    return after


def aggregate_of(tx: Transaction, key: str) -> UUID:
    """Return what the audit log calls a setting of the business."""
    return uuid5(NAMESPACE_OID, f"holdfast setting {tx.business_id} {key}")


def _value(setting: Setting, row: dict[str, Any] | None) -> Value:
    if row is None:
        return Value(setting, setting.default, None)
    return Value(setting, _usable(setting, row["value"]), row["changed_at"])


def _usable(setting: Setting, stored: Any) -> Scalar:
    """Return a stored value, or the default for none and for what an earlier release allowed."""
    allowed = None if stored is None else setting.allows(stored)
    return setting.default if allowed is None else allowed


def _shown(value: Scalar) -> str:
    return msgspec.json.encode(value).decode().strip('"')


def _allowed(setting: Setting) -> str:
    if setting.type == "sites":
        return f"must be addresses of sites like https://example.org, with blanks between them, {_MOST_ORIGINS} at most"
    if setting.type == "number":
        return f"must be a whole number from {setting.choice[0]} to {setting.choice[1]}"
    return f"must be one of {', '.join(map(str, setting.choice))}"
