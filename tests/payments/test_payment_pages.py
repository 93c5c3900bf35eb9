"""Money on pages of staff: payments listed and summed up, some given back, a refusal tried again; accounts connected."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest_asyncio

from booking.staffed import bearer
from holdfast.identity.permissions import Role
from journeys.browser import Page
from payments.paying import PRICE_MINOR
from payments.staffed import Staffed, staffed
from payments.test_accounts_web import PUBLISHABLE, SIGNING, Owned, owned
from payments.yookassa.fake import FakeYooKassa
from wording import say

PATH = "/admin/payments"
INTEGRATIONS = "/admin/settings/integrations"


@pytest_asyncio.fixture
async def staff(app_uri: str, admin_uri: str, yookassa: FakeYooKassa, sound: None) -> AsyncIterator[Staffed]:
    """Staff of a practice that takes payments; in the end all money is where it belongs."""
    async with staffed(app_uri, admin_uri, yookassa) as opened:
        yield opened
        await opened.till.work()


async def opened(http: httpx.AsyncClient, key: str, path: str, lang: str = "en") -> Page:
    """Open a page."""
    headers = bearer(key) | {"Accept-Language": lang}
    return Page(await http.get(path, headers=headers, follow_redirects=True))


async def sent(http: httpx.AsyncClient, who: str, path: str, /, **typed: str) -> Page:
    """Send a form, and follow where it leads."""
    headers = bearer(who) | {"Accept-Language": "en"}
    return Page(await http.post(path, headers=headers, data=typed or {"a": ""}, follow_redirects=True))


async def test_payments_are_listed_and_summed_up(staff: Staffed) -> None:
    """Staff see payments with what they are for and where the money is, in either language; a filter leaves out others (P-6,
    P-9, U-3).
    """
    payment = await staff.paid()
    key = staff.keys[Role.ASSISTANT]
    for language in ("en", "ru"):
        page = await opened(staff.http, key, PATH, language)
        assert page.status == 200
        assert f"{PATH}/{payment.id}" in page.links
        assert f"/admin/bookings/{payment.booking_id}" in page.links
        for words in ("Taken from clients", "Earned", "Paid", "play money"):
            assert say(language, words) in page.text
    for query in ("status=failed", "provider=stripe", "from=2020-01-01&to=2020-01-31"):
        other = await opened(staff.http, key, f"{PATH}?{query}")
        assert f"{PATH}/{payment.id}" not in other.links
        assert "There is no such payment" in other.text
    assert (await opened(staff.http, key, f"{PATH}?status=stolen")).status == 400
    assert (await opened(staff.http, staff.keys[Role.EDITOR], PATH)).status == 403
    booking = await opened(staff.http, key, f"/admin/bookings/{payment.booking_id}")
    assert f"{PATH}/{payment.id}" in booking.links
    assert "All of it:" in booking.text


async def test_some_of_a_payment_is_given_back(staff: Staffed) -> None:
    """An amount is typed as money, given back once however often the form is sent, and never more than is left (P-6, U-3)."""
    payment = await staff.paid()
    key, path = staff.keys[Role.OWNER], f"{PATH}/{payment.id}"
    page = await opened(staff.http, key, path)
    [form] = [form for form in page.forms if form.action == f"{path}/refunds"]
    for typed, told in [
        ("a lot", "Write an amount like 1500 or 1500.50"),
        ("0", "Write an amount like 1500 or 1500.50"),
        (f"{PRICE_MINOR}", "is left to give back"),
    ]:
        refused = await sent(
            staff.http, key, form.action, **form.fields | {"amount": typed, "reason": "Heating failed"}
        )
        assert refused.status in {400, 409}
        assert told in refused.text
        [again] = [each for each in refused.forms if each.action == form.action]
        assert (again.fields["amount"], again.fields["reason"]) == (typed, "Heating failed")
    for _ in range(2):
        done = await sent(staff.http, key, form.action, **form.fields | {"amount": "7,50"})
        assert "It will be given back." in done.text
    await staff.till.work()
    shown = (await staff.got(f"/api/admin/payments/{payment.id}"))["refunds"]
    assert [(refund["cause"], refund["amountMinor"]) for refund in shown] == [("goodwill", 750)]
    assert "Given back" in (await opened(staff.http, key, path)).text


async def test_a_refused_refund_is_tried_again(staff: Staffed) -> None:
    """What the provider has refused is tried again from the page of its payment (P-6, U-3)."""
    payment = await staff.paid()
    key = staff.keys[Role.OWNER]
    staff.till.fake.refuse_refunds()
    refund = (await staff.give(payment, 900)).json()["id"]
    await staff.till.work()
    page = await opened(staff.http, key, f"{PATH}/{payment.id}")
    assert "Refused by the provider" in page.text
    [path] = [form.action for form in page.forms if form.action.endswith("/retry")]
    assert path == f"/admin/refunds/{refund}/retry"
    staff.till.fake.grant_refunds()
    done = await sent(staff.http, key, path)
    assert "The provider is asked again within seconds." in done.text
    again = await sent(staff.http, key, path)
    assert again.status == 409
    assert "This refund was not refused" in again.text
    assert (await sent(staff.http, key, f"/admin/refunds/{uuid4()}/retry")).status == 404


async def test_money_of_another_business_is_nowhere(staff: Staffed, owned: Owned) -> None:
    """To staff of another business a payment is not there, and nothing of it can be given back (H-4)."""
    payment = await staff.paid()
    other = owned.tenant.keys[Role.OWNER]
    assert (await opened(owned.tenant.http, other, f"{PATH}/{payment.id}")).status == 404
    given = await sent(owned.tenant.http, other, f"{PATH}/{payment.id}/refunds", amount="1", reason="")
    assert given.status == 404
    assert (await staff.got(f"/api/admin/payments/{payment.id}"))["refunds"] == []


async def test_a_shop_is_connected_and_disconnected_on_the_page(owned: Owned) -> None:
    """A shop at YooKassa is connected by its number and key; a key that is refused stores nothing, and no key comes back; the
    page tells where notifications go (P-1, U-3).
    """
    http, key = owned.tenant.http, owned.tenant.keys[Role.OWNER]
    path = f"{INTEGRATIONS}/payments/yookassa"
    typed = {"yookassa-shopId": owned.yookassa.shop_id, "yookassa-secretKey": "live_not_this_one"}
    refused = await sent(http, key, path, **typed)
    assert refused.status == 422
    assert "The provider does not accept this key" in refused.text
    [form] = [form for form in refused.forms if form.action == path]
    assert form.fields["yookassa-shopId"] == owned.yookassa.shop_id
    assert form.fields["yookassa-secretKey"] == ""
    assert "live_not_this_one" not in refused.source
    assert owned.stored() == 0
    done = await sent(http, key, path, **typed | {"yookassa-secretKey": owned.yookassa.secret})
    for words in ("Payments are taken with this account from now on.", "Takes payments", owned.yookassa.shop_id):
        assert words in done.text
    assert f"https://booking.example/api/webhooks/yookassa/{owned.tenant.business_id}" in done.source
    assert owned.yookassa.secret not in done.source
    gone = await sent(http, key, f"{path}/disconnect")
    assert "No new payments are taken with this account." in gone.text
    assert "Takes no new payments" in gone.text


async def test_an_account_at_stripe_is_connected_on_the_page(owned: Owned) -> None:
    """An account at Stripe is connected by its keys, its signing secret is given afterwards, and what is no such secret is told
    at its field; none of them comes back (P-1, U-3).
    """
    http, key = owned.tenant.http, owned.tenant.keys[Role.OWNER]
    path = f"{INTEGRATIONS}/payments/stripe"
    typed = {"stripe-publishableKey": PUBLISHABLE, "stripe-secretKey": owned.at_stripe.secret}
    done = await sent(http, key, path, **typed)
    assert "Takes payments" in done.text
    assert "Without the signing secret of the endpoint nothing that Stripe tells is believed" in done.text
    refused = await sent(http, key, f"{path}/secrets", **{"secret-webhookSecret": "sk_not_this"})
    assert refused.status == 400
    assert "secret-webhookSecret-wrong" in refused.source
    assert "sk_not_this" not in refused.source
    kept = await sent(http, key, f"{path}/secrets", **{"secret-webhookSecret": SIGNING})
    assert "The signing secret is kept." in kept.text
    for secret in (owned.at_stripe.secret, SIGNING):
        assert not re.search(re.escape(secret), kept.source)
    assert (await sent(http, key, f"{path}/secrets/drop")).status == 200
    assert (await sent(http, key, f"{INTEGRATIONS}/payments/paypal/disconnect")).status == 404


__all__ = ["owned"]
