"""Leads and links for the public: get in touch, follow a link."""

from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, tenancy_of
from holdfast.crm import links
from holdfast.crm.errors import DeepLinkNotFound
from holdfast.crm.leads import Origin, receive
from holdfast.crm.shapes import FollowedView, LeadBody, ReceivedView, contact_in
from holdfast.crm.timeline import CONTACT_RECEIVED, tell
from holdfast.kernel.audit import CLIENT
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response


@post("/api/public/leads", status_code=202, opt=documented(LeadBody, answers=ReceivedView))
async def get_in_touch(request: Call) -> Response[bytes]:
    """Take in how somebody is reached; the answer is the same whether they were known before or not."""
    data = decode(LeadBody, await request.body())
    if not data.consent:
        raise ValidationFailed.at("consent", "is needed: without it nothing may be kept")
    contact = contact_in(data, data.name)
    business = await tenancy_of(request).named(data.business)

    async def work(tx: Transaction) -> None:
        marks = data.marks()
        of_link = None if data.deep_link is None else await links.marks_of(tx, data.deep_link)
        if of_link is not None and marks.is_empty:
            marks = of_link
        # Who came by a link that there is not cannot mend it, and is not turned away for it.
        deep_link = None if of_link is None else data.deep_link
        origin = Origin("form", data.locale or business.locale, marks, deep_link)
        lead_id = await receive(tx, contact, origin, CLIENT)
        await tell(tx, lead_id, CONTACT_RECEIVED)

    await request.app.state.database.run(business.id, work)
    return json_response(ReceivedView(), 202)


@get("/api/public/deep-links/{link_id:str}", opt=documented(query=("business",), answers=FollowedView))
async def follow(request: Call, link_id: FromPath[str]) -> Response[bytes]:
    """Return where a link leads and how it is marked, and count that it was followed."""
    business = await tenancy_of(request).named(request.query_params.get("business") or None)
    if not (link_id.isascii() and link_id.isprintable()):
        raise DeepLinkNotFound
    link = await request.app.state.database.run(business.id, lambda tx: links.follow(tx, link_id))
    shown = FollowedView(
        link.utm.utm_source,
        link.utm.utm_medium,
        link.utm.utm_campaign,
        link.utm.utm_term,
        link.utm.utm_content,
        id=link.id,
        target_path=link.target_path,
    )
    return json_response(shown)


handlers = [get_in_touch, follow]
