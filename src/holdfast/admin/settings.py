"""The settings of the business: who and where it is, and each choice with its meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.linking import check_seen, mark_of, origin_of
from holdfast.admin.settings_business import CURRENCIES, LOCALES, shown, typed_of, wrong_in
from holdfast.admin.settings_words import GROUPS, WORDS, Words
from holdfast.administration import settings
from holdfast.administration.errors import UnknownSetting
from holdfast.administration.settings import Stage, Value
from holdfast.availability.walltime import zones
from holdfast.identity import businesses
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load
from holdfast.kernel.tracking import Scalar
from holdfast.offerings.errors import ChangedMeanwhile

_SQL = load("holdfast.admin", "settings.sql")

PATH = "/admin/settings"
ENTRY = Entry(PATH, N_("Settings"), "business", Permission.READ_SETTINGS, 80)
_MAX_REASON = 2_000
_BUSINESS = ("name", "timezone", "currency", "locale")
_UNITS = {"minutes": N_("Minutes"), "hours": N_("Hours"), "days": N_("Days"), None: N_("Number")}
_DONE = {
    "business": N_("The practice was changed. It counts at once, at every server."),
    "changed": N_("The setting was changed. It counts at once, at every server."),
    "default": N_("The setting is back at its default."),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as the page shows it: what it is and by default is, in words; `options` are what may be chosen."""

    value: Value
    words: Words
    now: str
    default: str
    options: Sequence[tuple[str, str]]
    mark: str
    may_change: bool
    is_on: bool


@get(PATH, guards=[Needs(Permission.READ_SETTINGS)], exception_handlers=PROBLEMS)
async def admin_settings(request: Call) -> Response[Any]:
    """Show every setting with its meaning."""
    return await _page(request)


@post(f"{PATH}/business", status_code=200, guards=[Needs(Permission.CHANGE_SETTINGS)], exception_handlers=PROBLEMS)
async def admin_settings_business(request: Call) -> Response[Any]:
    """Change name, zone, currency and language; a currency in which something has a price stays."""
    form, staff = await read_form(request), staff_of(request)
    typed = typed_of(form, *_BUSINESS)
    try:
        async with database_of(request).transaction(staff.business_id) as tx:
            before = await businesses.lock(tx)
            assert before is not None, "businesses stay"
            if await _has_prices(tx):
                typed["currency"] = before.currency
            _check_business(typed)
            check_seen(form.line("seen"), mark_of(*shown(before).values()))
            await businesses.change(tx, staff.actor, **typed)
    except (ValidationFailed, ChangedMeanwhile) as refused:
        return await _page(request, refused, typed=typed)
    return go(PATH, done="business")


@post(f"{PATH}/{{key:str}}", status_code=200, guards=[Needs(Permission.READ_SETTINGS)], exception_handlers=PROBLEMS)
async def admin_settings_change(request: Call, key: FromPath[str]) -> Response[Any]:
    """Change one setting, or set it back to its default; each says who may."""
    form, staff = await read_form(request), staff_of(request)
    if key not in settings.SETTINGS:
        raise UnknownSetting
    back = form.ticked("default")
    try:
        async with database_of(request).transaction(staff.business_id) as tx:
            await page_in(tx, request)
            wanted = None if back else _wanted(key, form)
            before = await settings.read(tx, settings.SETTINGS[key])
            check_seen(form.line("seen"), mark_of(before))
            await settings.change(tx, key, wanted, staff, form.text("reason")[:_MAX_REASON] or None)
    except (ValidationFailed, ChangedMeanwhile) as refused:
        return await _page(
            request, refused, key=key, typed={"value": form.line("value"), "reason": form.text("reason")}
        )
    return go(f"{PATH}", done="default" if back else "changed")


handlers: list[HTTPRouteHandler] = [admin_settings, admin_settings_business, admin_settings_change]


def _check_business(typed: Mapping[str, str]) -> None:
    wrong = wrong_in(typed)
    if wrong:
        raise ValidationFailed(details={"errors": [{"field": name, "message": said} for name, said in wrong.items()]})


def _wanted(key: str, form: Form) -> Scalar:
    """Return a value as it was typed: of a number a whole one, or the text itself, which is then refused."""
    text = form.line("value")
    if settings.SETTINGS[key].type == "number" and text.isascii() and text.isdigit() and len(text) <= 6:
        return int(text)
    return text


async def _has_prices(tx: Transaction) -> bool:
    return bool(await tx.value(_SQL["has_prices"], {"business_id": tx.business_id}))


async def _page(
    request: Call,
    refused: UserError | None = None,
    *,
    key: str = "business",
    typed: Mapping[str, str] | None = None,
) -> Response[Any]:
    """Show the page; after a refusal with what was typed for the business or for one setting."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        values = {value.setting.key: value for value in await settings.values_of(tx)}
        has_prices = await _has_prices(tx)
    if refused is not None:
        count_refusal(refused.code)
    known, stage = shown(page.business), request.app.state.stage
    is_business = refused is not None and key == "business"
    return render(
        page,
        "settings.html",
        200 if refused is None else refused.status,
        request=request,
        notices=_DONE,
        business=dict(typed) if is_business and typed is not None else known,
        seen=mark_of(*known.values()),
        has_prices=has_prices,
        wrong=_wrong(page, refused) if is_business else {},
        refused_key=None if refused is None else key,
        typed=typed,
        told=_told(page, refused, values.get(key)),
        groups=[(title, [_shown(page, values[one], stage) for one in keys]) for title, keys in _groups(values)],
        zones=[(zone, zone) for zone in zones()],
        currencies=CURRENCIES,
        locales=LOCALES,
        units={unit: page.text(said) for unit, said in _UNITS.items()},
        booking_page=f"{origin_of(request)}/{page.business.slug}/booking/slot",
    )


def _groups(values: Mapping[str, Value]) -> list[tuple[str, Sequence[str]]]:
    listed = {key for _, keys in GROUPS for key in keys}
    rest = tuple(key for key in values if key not in listed)
    known = [(title, tuple(key for key in keys if key in values)) for title, keys in GROUPS]
    return [*known, *([(N_("More"), rest)] if rest else [])]


def _wrong(page: AdminPage, refused: UserError | None) -> dict[str, str]:
    errors = [] if refused is None else refused.details.get("errors") or []
    return {error["field"]: page.text(error["message"]) for error in errors}


def _told(page: AdminPage, refused: UserError | None, value: Value | None) -> str | None:
    if refused is None:
        return None
    if isinstance(refused, ChangedMeanwhile):
        return words(page.language, refused)
    if value is not None and value.setting.type == "number":
        least, most = value.setting.choice
        return page.text(
            N_("Enter a whole number from %(least)s to %(most)s."),
            least=page.wording.number(int(least)),
            most=page.wording.number(int(most)),
        )
    return page.text(N_("Something is still missing."))


def _shown(page: AdminPage, value: Value, stage: Stage) -> Shown:
    setting = value.setting
    said = WORDS.get(setting.key) or Words(setting.key, setting.meaning)
    options = () if setting.type == "number" else [(str(each), _said(page, said, each)) for each in setting.choice]
    return Shown(
        value,
        said,
        _said(page, said, value.value),
        _said(page, said, setting.default),
        options,
        mark_of(value.value),
        page.may(setting.permission),
        is_on=setting.type == "flag" and settings.is_on(value.value, stage),
    )


def _said(page: AdminPage, said: Words, value: Scalar) -> str:
    """Return a value in words."""
    if said.unit == "minutes":
        return page.wording.minutes(int(value))
    if said.unit in {"hours", "days"}:
        return page.wording.hours(int(value) * (24 if said.unit == "days" else 1))
    known = said.values.get(str(value))
    return str(value) if known is None else page.text(known)
