"""How an owner answers what people ask about themselves."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, post

from holdfast.crm.shapes import ContactBody, contact_in
from holdfast.identity.calls import Call, own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.http import decode, json_response
from holdfast.people import requests


class PersonBody(ContactBody, kw_only=True):
    """Who asks: by e-mail address, phone number, name in a messenger or several of them, as the business knows them."""

    business_id: UUID | None = None


class ToldView(msgspec.Struct, rename="camel", kw_only=True):
    """What is kept of a person, by kind. `requestId` is what the audit log calls this answer."""

    request_id: UUID
    kept: dict[str, list[dict[str, Any]]]


class ForgottenView(msgspec.Struct, rename="camel", kw_only=True):
    """How many rows of each kind have lost the person."""

    request_id: UUID
    forgotten: dict[str, int]


@post(
    "/api/admin/people/export",
    status_code=200,
    guards=[Needs(Permission.ANSWER_PEOPLE)],
    opt=documented(PersonBody, answers=ToldView, security="StaffKey"),
)
async def export_person(request: Call) -> Response[bytes]:
    """Return everything that the business keeps of a person, for them to have. Each answer is audited."""
    data = decode(PersonBody, await request.body())
    contact = contact_in(data)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with request.app.state.database.transaction(business_id) as tx:
        answer = await requests.tell(tx, contact, staff.actor)
    return json_response(ToldView(request_id=answer.id, kept=answer.parts))


@post(
    "/api/admin/people/erase",
    status_code=200,
    guards=[Needs(Permission.ANSWER_PEOPLE)],
    opt=documented(PersonBody, answers=ForgottenView, security="StaffKey"),
)
async def erase_person(request: Call) -> Response[bytes]:
    """Forget a person for good; accounts keep their rows without identity. Repeated, it finds nobody."""
    data = decode(PersonBody, await request.body())
    contact = contact_in(data)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with request.app.state.database.transaction(business_id) as tx:
        answer = await requests.forget(tx, contact, staff.actor)
    return json_response(ForgottenView(request_id=answer.id, forgotten=answer.parts))


handlers = [export_person, erase_person]
