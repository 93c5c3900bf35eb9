"""Programs: what groups come to, by a weekly rule."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
)
from holdfast.admin.programs_form import FIELDS, MAX_LINES, MESSAGES, NEW, Filled, as_saved, as_typed, draft_in
from holdfast.admin.typed import UNIT_NAMES, Typed, differing, refused, wrong_of
from holdfast.availability.walltime import zones
from holdfast.catalog.programs import Program, programs_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.offerings.errors import ChangedMeanwhile
from holdfast.offerings.programs import add_program, change_program, deactivate_program, outlooks, program_of
from holdfast.offerings.resources import own_resources
from holdfast.offerings.slugs import slug_of
from holdfast.offerings.states import seen

ENTRY = Entry("/admin/programs", N_("Programs"), "offer", Permission.READ_OFFERINGS, order=30)

_DONE = {
    "created": N_("The program is set up, and its dates for the next eight weeks are there."),
    "saved": N_("Saved. Dates with places taken stay as they were; the others follow."),
    "deactivated": N_("The program is offered no more. Dates with places taken stay."),
}
_SPARE_RULES = 2


@get("/admin/programs", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def programs_page(request: Call) -> Response[Any]:
    """Show every program with what is to come of it."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        programs = sorted(await programs_of(tx), key=lambda each: not each.active)
        ahead = await outlooks(tx)
    rows = [(each, ahead.get(each.id)) for each in programs]
    return render(page, "programs.html", request=request, notices=_DONE, rows=rows)


@get("/admin/programs/new", guards=[Needs(Permission.CHANGE_OFFERINGS)], exception_handlers=PROBLEMS)
async def new_program_page(request: Call) -> Response[Any]:
    """Show the form of a new program."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        return await _form(tx, request, page, NEW)


@post(
    "/admin/programs/new",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def create_program(request: Call) -> Response[Any]:
    """Set up a new program, or show the form again with what is wrong."""
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        typed = Typed(page, form)
        draft = draft_in(typed)
        if typed.wrong:
            return await _form(tx, request, page, as_typed(form), wrong=typed.wrong)
        slug = form.line("slug") or slug_of(draft.name, {each.slug for each in await programs_of(tx)}, "program")
        error = await refused(tx, lambda: add_program(tx, slug, draft, page.staff.actor))
        if error is not None:
            return await _form(tx, request, page, as_typed(form), error=error)
        made = next(each.id for each in await programs_of(tx) if each.slug == slug)
        return go(f"/admin/programs/{made}/dates", done="created")

    return await database_of(request).run(staff_of(request).business_id, work)


@get("/admin/programs/{program_id:str}", guards=[Needs(Permission.READ_OFFERINGS)], exception_handlers=PROBLEMS)
async def program_page(request: Call, program_id: FromPath[str]) -> Response[Any]:
    """Show a program with its form."""
    wanted = id_named(program_id)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        program = await program_of(tx, wanted)
        return await _form(tx, request, page, as_saved(page, program), program)


@post(
    "/admin/programs/{program_id:str}",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def save_program(request: Call, program_id: FromPath[str]) -> Response[Any]:
    """Save a program, or show the form again with what is wrong or has changed meanwhile."""
    wanted = id_named(program_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        program = await program_of(tx, wanted)
        typed = Typed(page, form)
        draft = draft_in(typed)
        told = form.line("seen")
        if typed.wrong:
            return await _form(tx, request, page, as_typed(form), program, wrong=typed.wrong, told=told)
        error = await refused(tx, lambda: change_program(tx, wanted, draft, told, page.staff.actor))
        if error is not None:
            return await _form(tx, request, page, as_typed(form), await program_of(tx, wanted), error=error)
        return go(f"/admin/programs/{wanted}", done="saved")

    return await database_of(request).run(staff_of(request).business_id, work)


@post(
    "/admin/programs/{program_id:str}/deactivate",
    status_code=200,
    guards=[Needs(Permission.CHANGE_OFFERINGS)],
    exception_handlers=PROBLEMS,
)
async def stop_program(request: Call, program_id: FromPath[str]) -> Response[Any]:
    """Offer a program no more."""
    wanted = id_named(program_id)
    form = await read_form(request)

    async def work(tx: Transaction) -> Response[Any]:
        page = await page_in(tx, request)
        told = form.line("seen")
        error = await refused(tx, lambda: deactivate_program(tx, wanted, told, page.staff.actor))
        if error is not None:
            program = await program_of(tx, wanted)
            return await _form(tx, request, page, as_saved(page, program), program, error=error)
        return go("/admin/programs", done="deactivated")

    return await database_of(request).run(staff_of(request).business_id, work)


handlers: list[HTTPRouteHandler] = [
    programs_page,
    new_program_page,
    create_program,
    program_page,
    save_program,
    stop_program,
]


async def _form(
    tx: Transaction,
    request: Call,
    page: AdminPage,
    filled: Filled,
    program: Program | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
    error: UserError | None = None,
    told: str | None = None,
) -> Response[Any]:
    """Show the form of a program, with what is wrong; with what somebody else has changed since it was `told`."""
    resources = [each for each in await own_resources(tx) if each.active or str(each.id) in filled.uses]
    outlook = None if program is None else (await outlooks(tx)).get(program.id)
    now = None if program is None else as_saved(page, program)
    wrong = {**(wrong or {}), **({} if error is None else wrong_of(page, error, MESSAGES))}
    changes = None
    if isinstance(error, ChangedMeanwhile) and now is not None:
        changes = differing(page, FIELDS, now.told(page, resources), filled.told(page, resources))
    return render(
        replace(page, path=f"/admin/programs/{program.id}" if program else page.path),
        "programs_one.html",
        200 if error is None and not wrong else 400 if error is None else error.status,
        request=request,
        notices=_DONE,
        program=program,
        filled=filled,
        rules=[*filled.rules, *[("", frozenset())] * _SPARE_RULES][:MAX_LINES],
        resources=resources,
        wrong=wrong,
        error=None if error is None or wrong else words(page.language, error),
        differing=changes,
        seen=told or (None if program is None else seen(program)),
        outlook=outlook,
        units=UNIT_NAMES,
        zones=[(zone, zone) for zone in zones()],
        may_change=page.may(Permission.CHANGE_OFFERINGS),
    )
