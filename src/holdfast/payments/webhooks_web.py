"""Where providers tell what has become of payments: proven, written down, answered; nothing else happens here (P-2).

What bounds a flood: YooKassa is heard from its own addresses only, which are looked at before anything else, and
Stripe by a signature that is reckoned in memory. A business that is not there costs a look at an index, at most each
five seconds for the same name. Bodies are bounded as everywhere, and whoever finds the queue full hears 503.
"""

import time
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath

from holdfast.booking.calls import Call
from holdfast.kernel.addresses import client_of
from holdfast.kernel.documents import documented
from holdfast.kernel.http import json_response
from holdfast.payments.errors import NotTheProvider
from holdfast.payments.port import Notice, ProviderName
from holdfast.payments.stripe_notices import read_notice as read_stripe
from holdfast.payments.webhooks import Webhooks
from holdfast.payments.yookassa_notices import is_from_yookassa
from holdfast.payments.yookassa_notices import read_notice as read_yookassa

_SIGNATURE = "Stripe-Signature"


class YookassaBody(msgspec.Struct):
    """What YooKassa sends: which event, and the object as it was then. Other members are left alone."""

    type: str
    event: str
    object: dict[str, Any]


class StripeBody(msgspec.Struct):
    """What Stripe sends: the event and its object. Other members are left alone."""

    id: str
    type: str
    data: dict[str, Any]


class HeardView(msgspec.Struct):
    """It is kept, or was kept before, or is nothing that is listened for."""

    status: str = "heard"


_HEARD = HeardView()


@post(
    "/api/webhooks/yookassa/{business:str}",
    status_code=200,
    opt=documented(
        YookassaBody,
        answers=HeardView,
        refusals={403: "The call comes from none of the addresses of the provider.", 503: "Not kept; tell it again."},
    ),
)
async def hear_yookassa(request: Call, business: FromPath[str]) -> Response[bytes]:
    """Write down what YooKassa tells a business, named by slug or id.

    It does not sign: so it counts from its published addresses only, and all that is read is which object has changed.
    """
    state = request.app.state
    peer = request.client.host if request.client else None
    client = client_of(peer, request.headers.getall("X-Forwarded-For", []), state.trusted_proxies)
    if not is_from_yookassa(client, state.payment_settings.yookassa_networks):
        raise NotTheProvider
    webhooks: Webhooks = state.webhooks
    entrance = await webhooks.entrance(business, ProviderName.YOOKASSA)
    body = await request.body()
    return await _heard(webhooks, entrance.business_id, ProviderName.YOOKASSA, read_yookassa(body), body)


@post(
    "/api/webhooks/stripe/{business:str}",
    status_code=200,
    opt=documented(
        StripeBody,
        headers=(_SIGNATURE,),
        answers=HeardView,
        refusals={400: "The signature is none of the provider, or not of now.", 503: "Not kept; tell it again."},
    ),
)
async def hear_stripe(request: Call, business: FromPath[str]) -> Response[bytes]:
    """Write down what Stripe tells a business, named by slug or id, signed with one of the account's secrets."""
    webhooks: Webhooks = request.app.state.webhooks
    entrance = await webhooks.entrance(business, ProviderName.STRIPE)
    body = await request.body()
    notice = read_stripe(body, request.headers.get(_SIGNATURE), entrance.secrets, int(time.time()))
    return await _heard(webhooks, entrance.business_id, ProviderName.STRIPE, notice, body)


async def _heard(
    webhooks: Webhooks, business_id: UUID, provider: ProviderName, notice: Notice | None, body: bytes
) -> Response[bytes]:
    if notice is not None:
        await webhooks.hear(business_id, provider, notice, body)
    return json_response(_HEARD)


handlers = [hear_yookassa, hear_stripe]
express = handlers
