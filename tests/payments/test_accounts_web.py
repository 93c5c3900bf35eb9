"""Accounts at providers over HTTP: verified before they are stored, shown without what opens them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import pytest_asyncio

from booking.served import Json, instant, problem, wrong_fields
from booking.tenants import Tenant, application, open_tenant
from calendars.http_servers import Reply, Server
from conftest import MASTER_KEY
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from holdfast.kernel.ids import new_id
from holdfast.payments import tasks
from holdfast.payments.port import ProviderName
from holdfast.payments.settings import PaymentSettings
from leaks.capture import RUN
from payments.stripe.fake import FakeStripe
from payments.telling import write_event
from payments.yookassa.fake import FakeYooKassa, fake_yookassa

PATH = "/api/admin/integrations/payments"
SIGNING, RENEWED = "whsec_tourmaline", "whsec_chalcedony"
PUBLISHABLE = "pk_test_51"


@dataclass
class Owned:
    """A business and its owner, at whose server providers are fakes; `elsewhere` is one that the settings allow."""

    tenant: Tenant
    yookassa: FakeYooKassa
    elsewhere: FakeYooKassa
    at_stripe: FakeStripe

    @property
    def shop(self) -> Json:
        """The shop at YooKassa as its owner types it."""
        return {"shopId": self.yookassa.shop_id, "secretKey": self.yookassa.secret}

    @property
    def account(self) -> Json:
        """The account at Stripe as its owner types it."""
        return {"secretKey": self.at_stripe.secret, "publishableKey": PUBLISHABLE, "webhookSecret": SIGNING}

    async def call(self, method: str, path: str = "", body: Json | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a call of the owner."""
        return await self.tenant.call(method, PATH + path, body, role=Role.OWNER, **more)

    async def done(self, method: str, path: str = "", body: Json | None = None) -> Json:
        """Return the body of the answer to a call of the owner that succeeds."""
        return await self.tenant.done(method, PATH + path, body, role=Role.OWNER)

    def stored(self) -> int:
        """Return how many accounts of the business are stored."""
        asked = "select count(*) from payment_accounts where business_id = %s"
        [(found,)] = self.tenant.sql(asked, self.tenant.business_id)
        return int(found)


@pytest_asyncio.fixture
async def owned(
    app_uri: str, admin_uri: str, database: Database, yookassa: FakeYooKassa, at_stripe: FakeStripe
) -> AsyncIterator[Owned]:
    """A business without an account, at a server that knows where its fakes are."""
    for secret in (SIGNING, RENEWED):
        RUN.guard_secret(secret, "webhook secret")
    with fake_yookassa() as elsewhere:
        settings = PaymentSettings(
            yookassa_api_url=yookassa.url,
            stripe_api_url=at_stripe.url,
            api_urls=(elsewhere.url,),
            public_url="https://booking.example",
        )
        async with application(app_uri, admin_uri, MASTER_KEY, payments=settings) as http:
            yield Owned(await open_tenant(http, database, admin_uri), yookassa, elsewhere, at_stripe)


async def test_a_shop_is_connected_as_yookassa_tells_it(owned: Owned) -> None:
    """The owner types number and key of a shop; whether its money is real, YooKassa says, and the answer says where it
    has to tell us of what (payments 11, P-1).
    """
    made = await owned.done("PUT", "/yookassa", owned.shop)
    assert (made["provider"], made["account"], made["isTest"], made["state"]) == (
        "yookassa",
        owned.yookassa.shop_id,
        True,
        "active",
    )
    assert made["webhookUrl"] == f"https://booking.example/api/webhooks/yookassa/{owned.tenant.business_id}"
    assert "payment.succeeded" in made["webhookEvents"]
    assert (made["webhookSecrets"], made["lastWebhookAt"], made["lastReconciledAt"]) == (0, None, None)
    owned.yookassa.shop.is_test = False
    assert not (await owned.done("PUT", "/yookassa", owned.shop))["isTest"]


async def test_an_account_at_stripe_is_connected_as_stripe_tells_it(owned: Owned) -> None:
    """Whose account a key belongs to, and whether its money is real, is what Stripe says (payments 11, P-1)."""
    made = await owned.done("PUT", "/stripe", owned.account)
    assert (made["provider"], made["account"], made["isTest"]) == ("stripe", owned.at_stripe.account.id, True)
    assert (made["publishableKey"], made["webhookSecrets"]) == (PUBLISHABLE, 1)
    assert made["webhookUrl"].endswith(f"/api/webhooks/stripe/{owned.tenant.business_id}")
    assert "payment_intent.succeeded" in made["webhookEvents"]


async def test_secrets_go_in_and_never_out(owned: Owned) -> None:
    """No answer, log or audit entry holds a secret of an account, and no column of the database has it (payments 20)."""
    shown = [
        await owned.call("PUT", "/yookassa", owned.shop),
        await owned.call("PUT", "/stripe", owned.account),
        await owned.call("POST", "/stripe/webhook-secrets", {"webhookSecret": RENEWED}),
        await owned.call("GET"),
        await owned.call("DELETE", "/stripe/webhook-secrets"),
        await owned.call("DELETE", "/stripe"),
    ]
    secrets = (owned.yookassa.secret, owned.at_stripe.secret, SIGNING, RENEWED)
    for answer in shown:
        assert answer.is_success, answer.text
        assert [secret for secret in secrets if secret in answer.text] == []
    assert owned.tenant.written(*secrets) == []


async def test_the_list_tells_how_accounts_are(owned: Owned, database: Database) -> None:
    """The owner sees every account, the active one first; what was heard and compared last, and what is open (P-4)."""
    assert await owned.done("GET") == {"accounts": [], "apiUrls": [owned.elsewhere.url]}
    first = await owned.done("PUT", "/yookassa", owned.shop)
    second = await owned.done("PUT", "/stripe", owned.account)
    business = owned.tenant.business_id
    owned.tenant.sql(
        "insert into payment_reconciliations (business_id, id, account_id, listed_until, finished_at, error_code)"
        " values (%s, %s, %s, now(), '2027-01-01T00:00:00Z', 'unauthorized')",
        *(business, new_id(), second["id"]),
    )
    owned.tenant.sql(
        "insert into attention_items (business_id, id, kind, subject_id, severity, details)"
        " values (%s, %s, %s, %s, 'urgent', '{\"provider\": \"stripe\"}')",
        *(business, new_id(), tasks.ACCOUNT_UNAUTHORIZED, second["id"]),
    )
    for name in ("evt_1", "evt_2"):
        told = {"event_id": name, "kind": "payment_intent.succeeded", "object_id": name, "body": "{}"}
        await database.run(business, partial(write_event, provider=ProviderName.STRIPE, **told))
    # Nobody acts upon them here.
    owned.tenant.sql("update webhook_events set processed_at = now() where business_id = %s", business)
    listed = (await owned.done("GET"))["accounts"]
    heard = owned.tenant.sql("select max(received_at) from webhook_events where business_id = %s", business)
    assert [each["lastWebhookAt"] and instant(each["lastWebhookAt"]) for each in listed] == [heard[0][0], None]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    assert [each["state"] for each in listed] == ["unauthorized", "inactive"]
    assert [each["lastReconciledAt"] for each in listed] == ["2027-01-01T00:00:00Z", None]
    assert (listed[0]["errorCode"], listed[0]["openPayments"]) == ("unauthorized", 0)
    # Connecting it again is what mends it.
    assert (await owned.done("PUT", "/stripe", owned.account))["state"] == "active"


async def test_a_key_that_is_not_accepted_stores_nothing(owned: Owned) -> None:
    """A wrong key is told as one, and neither makes an account nor takes the place of the one that works (payments 20)."""
    wrong = owned.shop | {"secretKey": "test_wrong"}
    for path, body in (("/yookassa", wrong), ("/stripe", owned.account | {"secretKey": "sk_test_wrong"})):
        problem(await owned.call("PUT", path, body), 422, "payment_credentials_refused")
    assert owned.stored() == 0
    before = await owned.done("PUT", "/yookassa", owned.shop)
    problem(await owned.call("PUT", "/yookassa", wrong), 422, "payment_credentials_refused")
    assert (await owned.done("GET"))["accounts"] == [before]


async def test_keys_of_two_modes_are_no_account(owned: Owned) -> None:
    """A publishable key of live mode beside a secret key of test mode is named, and nothing is stored: nobody could pay
    with the two (payments 11).
    """
    mixed = owned.account | {"publishableKey": "pk_live_51"}
    assert wrong_fields(await owned.call("PUT", "/stripe", mixed)) == {"publishableKey"}
    owned.at_stripe.account.is_test = False
    assert wrong_fields(await owned.call("PUT", "/stripe", owned.account)) == {"publishableKey"}
    assert owned.stored() == 0
    assert (await owned.done("PUT", "/stripe", mixed))["isTest"] is False


async def test_what_is_no_signing_secret_is_named(owned: Owned) -> None:
    """Another secret of Stripe in place of the one by which its endpoint signs is refused: with it nothing that Stripe
    tells would be believed (payments 1).
    """
    await owned.done("PUT", "/stripe", owned.account)
    for secret in ("sk_test_51", "tourmaline", "whsec_"):
        answer = await owned.call("POST", "/stripe/webhook-secrets", {"webhookSecret": secret})
        assert wrong_fields(answer) == {"webhookSecret"}
    assert (await owned.done("GET"))["accounts"][0]["webhookSecrets"] == 1


@pytest.mark.parametrize("provider", ["yookassa", "stripe"])
async def test_a_provider_that_is_down_is_told_and_nothing_is_stored(owned: Owned, provider: str) -> None:
    """While a provider fails, breaks off or asks for patience nothing is stored, and the owner hears when to try again
    (payments 19).
    """
    faults, body = (
        (owned.yookassa.faults, owned.shop) if provider == "yookassa" else (owned.at_stripe.faults, owned.account)
    )
    faults.fail(503)
    answer = await owned.call("PUT", f"/{provider}", body)
    problem(answer, 503, "payment_provider_unreachable")
    assert answer.headers["Retry-After"] == "60"
    faults.cut()
    problem(await owned.call("PUT", f"/{provider}", body), 503, "payment_provider_unreachable")
    assert owned.stored() == 0
    assert (await owned.done("PUT", f"/{provider}", body))["state"] == "active"


async def test_a_provider_leads_our_server_nowhere_else(
    app_uri: str, admin_uri: str, database: Database, yookassa: FakeYooKassa
) -> None:
    """An address that is allowed and says that the answer is elsewhere is not followed there: no key travels, nothing is
    stored (payments 20).
    """
    elsewhere = Server(lambda _asked: Reply(307, {"Location": f"{yookassa.url}/me"}))
    with elsewhere.running():
        settings = PaymentSettings(yookassa_api_url=elsewhere.address, stripe_api_url=elsewhere.address)
        async with application(app_uri, admin_uri, MASTER_KEY, payments=settings) as http:
            tenant = await open_tenant(http, database, admin_uri)
            shop = {"shopId": yookassa.shop_id, "secretKey": yookassa.secret}
            account = {"secretKey": "sk_test_marl", "publishableKey": PUBLISHABLE}
            for path, body in ((f"{PATH}/yookassa", shop), (f"{PATH}/stripe", account)):
                problem(await tenant.call("PUT", path, body, role=Role.OWNER), 503, "payment_provider_unreachable")
            assert (await tenant.done("GET", PATH, role=Role.OWNER))["accounts"] == []
    assert len(elsewhere.asked) == 2
    assert yookassa.calls == []


async def test_a_business_cannot_have_our_server_ask_another_address(owned: Owned) -> None:
    """An address that the settings do not name is refused before anything is asked of it; one that they name is asked,
    and shown (payments 20).
    """
    own = owned.yookassa.url
    for url in (
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:5432",
        "file:///etc/passwd",
        f"{owned.elsewhere.url}/..",
        f"{owned.elsewhere.url}@example.org",
        f"{own}?x=",
        owned.elsewhere.url.upper(),
        "https://api.yookassa.ru/v3",
    ):
        for path, body in (("/yookassa", owned.shop), ("/stripe", owned.account)):
            assert wrong_fields(await owned.call("PUT", path, body | {"apiUrl": url})) == {"apiUrl"}
    assert owned.yookassa.calls == owned.elsewhere.calls == owned.at_stripe.calls == []
    assert owned.stored() == 0
    there = {
        "shopId": owned.elsewhere.shop_id,
        "secretKey": owned.elsewhere.secret,
        "apiUrl": f"{owned.elsewhere.url}/",
    }
    made = await owned.done("PUT", "/yookassa", there)
    assert (made["apiUrl"], made["account"]) == (owned.elsewhere.url, owned.elsewhere.shop_id)
    assert owned.yookassa.calls == []
    usual = await owned.done("PUT", "/yookassa", owned.shop | {"apiUrl": own})
    assert usual["apiUrl"] is None


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("/yookassa", {"shopId": ""}),
        ("/yookassa", {"shopId": "1:2"}),
        ("/yookassa", {"shopId": "1\r\nHost: x"}),
        ("/yookassa", {"secretKey": "ключ"}),
        ("/yookassa", {"secretKey": "a b"}),
        ("/yookassa", {"secretKey": "x" * 256}),
        ("/stripe", {"secretKey": "sk\n"}),
        ("/stripe", {"publishableKey": "sk_test_51"}),
        ("/stripe", {"publishableKey": "pk_test\n"}),
        ("/stripe", {"webhookSecret": ""}),
        ("/stripe", {"webhookSecret": "sk_test_51"}),
    ],
)
async def test_what_cannot_be_a_key_is_named(owned: Owned, path: str, changed: Json) -> None:
    """A key that cannot be one is refused by its name before anything is asked; a secret key is no publishable one
    (payments 20).
    """
    body = (owned.shop if path == "/yookassa" else owned.account) | changed
    assert wrong_fields(await owned.call("PUT", path, body)) == set(changed)
    assert owned.yookassa.calls == owned.at_stripe.calls == []


async def test_webhook_secrets_are_rotated_over_http(owned: Owned) -> None:
    """The owner adds a secret, registers it at Stripe, and drops the older ones; YooKassa, which signs nothing, has none
    (payments 1).
    """
    problem(await owned.call("POST", "/stripe/webhook-secrets", {"webhookSecret": RENEWED}), 404, "not_found")
    await owned.done("PUT", "/stripe", owned.account)
    assert (await owned.done("POST", "/stripe/webhook-secrets", {"webhookSecret": RENEWED}))["webhookSecrets"] == 2
    assert (await owned.done("DELETE", "/stripe/webhook-secrets"))["webhookSecrets"] == 1
    for number in range(4):
        await owned.done("POST", "/stripe/webhook-secrets", {"webhookSecret": f"{RENEWED}{number}"})
    sixth = await owned.call("POST", "/stripe/webhook-secrets", {"webhookSecret": f"{RENEWED}x"})
    problem(sixth, 409, "too_many_webhook_secrets")
    await owned.done("PUT", "/yookassa", owned.shop)
    problem(await owned.call("POST", "/stripe/webhook-secrets", {"webhookSecret": RENEWED}), 404, "not_found")


async def test_a_disconnected_account_is_shown_as_it_is(owned: Owned) -> None:
    """After a disconnection no account is active, and the one that was is still there (payments 12)."""
    problem(await owned.call("DELETE", "/yookassa"), 404, "not_found")
    made = await owned.done("PUT", "/yookassa", owned.shop)
    problem(await owned.call("DELETE", "/stripe"), 404, "not_found")
    gone = await owned.done("DELETE", "/yookassa")
    assert (gone["id"], gone["state"]) == (made["id"], "inactive")
    problem(await owned.call("DELETE", "/yookassa"), 404, "not_found")
    assert [each["state"] for each in (await owned.done("GET"))["accounts"]] == ["inactive"]


async def test_only_an_owner_says_where_the_money_goes(owned: Owned, database: Database) -> None:
    """No role but the owner's sees or changes accounts, and no business those of another (D-5, D-7)."""
    await owned.done("PUT", "/yookassa", owned.shop)
    for role in (Role.ASSISTANT, Role.EDITOR):
        problem(await owned.tenant.call("GET", PATH, role=role), 403, "forbidden")
        problem(await owned.tenant.call("PUT", f"{PATH}/yookassa", owned.shop, role=role), 403, "forbidden")
    other = await open_tenant(owned.tenant.http, database, owned.tenant.admin_uri)
    assert (await other.done("GET", PATH, role=Role.OWNER))["accounts"] == []
    problem(await other.call("DELETE", f"{PATH}/yookassa", role=Role.OWNER), 404, "not_found")
    assert (await owned.done("GET"))["accounts"][0]["state"] == "active"


async def test_many_owners_at_one_moment_leave_one_active(owned: Owned) -> None:
    """Two accounts that are connected again and again at the same moment: each answer is a success, one is active
    (payments 13).
    """
    calls = [owned.call("PUT", path, body) for path, body in (("/yookassa", owned.shop), ("/stripe", owned.account))]
    calls += [owned.call("PUT", path, body) for path, body in (("/stripe", owned.account), ("/yookassa", owned.shop))]
    assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200}
    listed = (await owned.done("GET"))["accounts"]
    assert [each["state"] for each in listed] == ["active", "inactive"]
