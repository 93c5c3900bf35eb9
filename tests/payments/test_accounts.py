"""Accounts at providers: one takes new payments, none is lost, and what opens them is sealed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import psycopg
import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice
from conftest import MASTER_KEY
from holdfast.config import ConfigurationError, read
from holdfast.identity.businesses import put
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.rotation import rotate
from holdfast.payments import accounts
from holdfast.payments.accounts import Account, active_account, candidate, find_account
from holdfast.payments.errors import AccountNotMeant, TooManyWebhookSecrets
from holdfast.payments.port import AccountFacts, ProviderName, Unknown
from holdfast.payments.settings import PaymentSettings
from holdfast.payments.yookassa_notices import NETWORKS

OWNER = Actor.staff(new_id())
# Words that stand in no other test: where they are found, a secret was told.
SHOP_KEY, KEY, RENEWED, SIGNING = "secret-kvartsit", "secret-malachite", "secret-obsidian", "whsec-feldspar"
YOOKASSA = candidate(ProviderName.YOOKASSA, secret=SHOP_KEY, shop="100500")
STRIPE = candidate(ProviderName.STRIPE, secret=KEY, publishable_key="pk_test_1", webhook_secret=SIGNING)
SHOP, LIVE, TEST = AccountFacts("100500", True), AccountFacts("acct_1", False), AccountFacts("acct_1", True)


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business without an account."""
    async with open_practice(app_uri) as opened:
        yield opened


async def connect(database: Database, practice: Practice, wanted: Account, facts: AccountFacts) -> Account:
    """Connect an account of which its provider says so."""
    fresh = replace(wanted, id=new_id())
    return await database.run(practice.business_id, lambda tx: accounts.connect(tx, fresh, facts, OWNER))


async def active(database: Database, practice: Practice) -> Account | None:
    """Return the account that takes new payments."""
    async with database.transaction(practice.business_id) as tx:
        return await active_account(tx)


async def test_an_account_is_as_its_provider_says_and_its_secrets_are_sealed(
    database: Database, practice: Practice
) -> None:
    """Whose account it is and whether its money is real is what the provider says; secrets are stored sealed, come back
    to whoever pays with them, and stand in no representation (P-1, D-5, payments 20).
    """
    made = await connect(database, practice, STRIPE, TEST)
    assert (made.provider, made.account, made.is_test, made.active) == (ProviderName.STRIPE, "acct_1", True, True)
    assert (made.secret, made.webhook_secrets) == (KEY, (SIGNING,))
    assert await active(database, practice) == made
    async with database.transaction(practice.business_id) as tx:
        assert await find_account(tx, made.id) == made
    assert "malachite" not in repr(made)
    assert "feldspar" not in f"{made} {[made]}"


async def test_another_business_knows_nothing_of_an_account(
    app_uri: str, database: Database, practice: Practice
) -> None:
    """An account of one business is none of another, which has none for it (D-5)."""
    made = await connect(database, practice, YOOKASSA, SHOP)
    async with open_practice(app_uri) as other:
        assert await active(database, other) is None
        async with database.transaction(other.business_id) as tx:
            with pytest.raises(NotFound):
                await find_account(tx, made.id)
        theirs = await connect(database, other, YOOKASSA, SHOP)
        assert theirs.id != made.id
    assert await active(database, practice) == made


async def test_the_same_account_again_is_the_one_that_is_there(database: Database, practice: Practice) -> None:
    """Who connects an account again replaces its secret, adds a webhook secret before those it had, and payments of it
    go on with them (payments 1, payments 20).
    """
    first = await connect(database, practice, STRIPE, LIVE)
    renewed = replace(STRIPE, secret=RENEWED, webhook_secrets=("whsec-gypsum",))
    again = await connect(database, practice, renewed, LIVE)
    assert (again.id, again.secret) == (first.id, RENEWED)
    assert again.webhook_secrets == ("whsec-gypsum", SIGNING)
    kept = await connect(database, practice, replace(STRIPE, webhook_secrets=()), LIVE)
    assert kept.webhook_secrets == again.webhook_secrets


async def test_one_account_takes_new_payments_and_the_others_stay(database: Database, practice: Practice) -> None:
    """Another account, at any provider or in the other mode, takes over new payments; what the former one has taken goes
    back through it, so it stays with its secret (payments 11).
    """
    shop = await connect(database, practice, YOOKASSA, SHOP)
    test = await connect(database, practice, STRIPE, TEST)
    live = await connect(database, practice, replace(STRIPE, secret=RENEWED), LIVE)
    assert len({shop.id, test.id, live.id}) == 3
    async with database.transaction(practice.business_id) as tx:
        known = {each.id: each for each in await accounts.accounts_of(tx)}
        assert {each.id for each in await accounts.accounts_of(tx, ProviderName.STRIPE)} == {test.id, live.id}
    assert {each for each in known if known[each].active} == {live.id}
    assert (known[shop.id].secret, known[test.id].secret) == (SHOP_KEY, KEY)
    back = await connect(database, practice, YOOKASSA, SHOP)
    assert (back.id, (await active(database, practice))) == (shop.id, back)


async def test_a_key_of_another_shop_connects_nothing(database: Database, practice: Practice) -> None:
    """When the provider says that a key belongs to another shop than was said, nothing is stored (payments 11)."""
    with pytest.raises(AccountNotMeant):
        await connect(database, practice, YOOKASSA, AccountFacts("100501", True))
    assert await active(database, practice) is None


async def test_accounts_connected_at_one_moment_leave_one_active(database: Database, practice: Practice) -> None:
    """Of many who connect accounts at the same moment each succeeds, and one account is active in the end (payments 13)."""
    facts = [AccountFacts(f"acct_{number}", False) for number in range(4)] * 2
    made = await asyncio.gather(*(connect(database, practice, STRIPE, each) for each in facts))
    async with database.transaction(practice.business_id) as tx:
        known = await accounts.accounts_of(tx)
    assert {each.account for each in known} == {each.account for each in made} == {each.account for each in facts}
    assert [each.active for each in known] == [True, False, False, False]


async def test_webhook_secrets_are_rotated_without_a_gap(database: Database, practice: Practice) -> None:
    """A new webhook secret is the first, those of before are valid until they are dropped, and there are never more than
    five (payments 1).
    """
    await connect(database, practice, STRIPE, LIVE)

    async def add(secret: str) -> tuple[str, ...]:
        work = lambda tx: accounts.add_webhook_secret(tx, ProviderName.STRIPE, secret, OWNER)  # noqa: E731
        return (await database.run(practice.business_id, work)).webhook_secrets

    assert await add("whsec-gypsum") == ("whsec-gypsum", SIGNING)
    assert await add("whsec-gypsum") == ("whsec-gypsum", SIGNING)
    assert await add(SIGNING) == (SIGNING, "whsec-gypsum")
    for number in range(3):
        await add(f"whsec-basalt-{number}")
    with pytest.raises(TooManyWebhookSecrets):
        await add("whsec-pumice")
    left = await database.run(
        practice.business_id, lambda tx: accounts.drop_older_webhook_secrets(tx, ProviderName.STRIPE, OWNER)
    )
    assert left.webhook_secrets == ("whsec-basalt-2",)


async def test_a_disconnected_account_takes_nothing_new_and_keeps_its_secrets(
    database: Database, practice: Practice
) -> None:
    """After a disconnection no new payment is made; what is needed to give money back is there (payments 12)."""
    made = await connect(database, practice, STRIPE, LIVE)
    with pytest.raises(NotFound):
        await database.run(practice.business_id, lambda tx: accounts.disconnect(tx, ProviderName.YOOKASSA, OWNER))
    await database.run(practice.business_id, lambda tx: accounts.disconnect(tx, ProviderName.STRIPE, OWNER))
    assert await active(database, practice) is None
    async with database.transaction(practice.business_id) as tx:
        left = await find_account(tx, made.id)
    assert (left.active, left.secret, left.webhook_secrets) == (False, made.secret, made.webhook_secrets)
    with pytest.raises(NotFound):
        await database.run(practice.business_id, lambda tx: accounts.disconnect(tx, ProviderName.STRIPE, OWNER))


async def test_every_change_is_in_the_audit_log_without_a_secret(
    database: Database, practice: Practice, admin_uri: str
) -> None:
    """Who connected, rotated and disconnected an account is written down, and nothing that opens it (D-7)."""
    made = await connect(database, practice, STRIPE, TEST)
    await connect(database, practice, replace(STRIPE, secret=RENEWED), TEST)
    work = lambda tx: accounts.add_webhook_secret(tx, ProviderName.STRIPE, "whsec-gypsum", OWNER)  # noqa: E731
    await database.run(practice.business_id, work)
    await connect(database, practice, YOOKASSA, SHOP)
    with psycopg.connect(admin_uri) as connection:
        found = connection.execute(
            "select action, from_state, to_state, actor_id from audit_log where aggregate_id = %s order by version",
            [made.id],
        ).fetchall()
    assert found == [
        ("connect", None, "stripe active test", OWNER.id),
        ("rotate", "stripe active test", "stripe active test", OWNER.id),
        ("add_webhook_secret", "stripe active test", "stripe active test", OWNER.id),
        ("disconnect", "stripe active test", "stripe inactive test", OWNER.id),
    ]


async def test_secrets_survive_a_rotation_of_the_data_key(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Secrets of accounts are sealed anew with everything else when a data key is rotated, and open as before (D-5)."""
    uri, admin_uri = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    # Whoever uses a key for a while after it was replaced would be waited for.
    keyring = Keyring(MASTER_KEY, uri, refresh_seconds=0)
    database = Database(uri, min_connections=1, max_connections=1, keyring=keyring)
    await database.open()
    try:
        business = await database.run(
            None, lambda tx: put(tx, slug="b", name="A practice", timezone="UTC", currency="EUR", locale="en")
        )
        made = await database.run(business.id, lambda tx: accounts.connect(tx, STRIPE, TEST, OWNER))
        [rotated] = await rotate(
            admin_uri, Keyring(MASTER_KEY, admin_uri, refresh_seconds=0), business=None, report=lambda _line: None
        )
        assert (rotated.generation, rotated.values, rotated.broken) == (2, 2, [])
        async with database.transaction(business.id) as tx:
            assert await active_account(tx) == made
    finally:
        await database.close()


def test_a_business_chooses_among_the_allowed_addresses_only() -> None:
    """An account is asked where the settings say, or at one of the addresses that they allow; at no other, also when an
    address was allowed once (payments 20).
    """
    settings = PaymentSettings(stripe_api_url="https://s.example", api_urls=("https://other.example",))
    assert settings.api_url_of(ProviderName.STRIPE, None) == "https://s.example"
    assert settings.api_url_of(ProviderName.YOOKASSA, None) == "https://api.yookassa.ru/v3"
    assert settings.api_url_of(ProviderName.STRIPE, "https://other.example") == "https://other.example"
    for url in ("https://other.example.org", "https://other.example/x", "http://127.0.0.1", "https://s.example"):
        with pytest.raises(Unknown):
            settings.api_url_of(ProviderName.STRIPE, url)


def test_providers_are_where_the_environment_says() -> None:
    """Addresses of providers, those that a business may choose, and where messages come from are settings (K-3, payments 2)."""
    settings = read({}).payments
    assert settings == PaymentSettings()
    assert settings.yookassa_networks == NETWORKS
    assert settings.webhook_url(ProviderName.STRIPE, "b") is None
    settings = read(
        {
            "HOLDFAST_YOOKASSA_API_URL": "http://127.0.0.1:1/v3/",
            "HOLDFAST_YOOKASSA_ADDRESSES": "127.0.0.1, 10.0.0.0/8",
            "HOLDFAST_STRIPE_API_URL": "http://127.0.0.1:2",
            "HOLDFAST_PAYMENT_API_URLS": "https://a.example/, https://b.example/v3",
            "HOLDFAST_PUBLIC_URL": "https://booking.example/",
        }
    ).payments
    assert (settings.yookassa_api_url, settings.stripe_api_url) == ("http://127.0.0.1:1/v3", "http://127.0.0.1:2")
    assert [str(each) for each in settings.yookassa_networks] == ["127.0.0.1/32", "10.0.0.0/8"]
    assert settings.api_urls == ("https://a.example", "https://b.example/v3")
    assert settings.webhook_url(ProviderName.STRIPE, "b") == "https://booking.example/api/webhooks/stripe/b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOLDFAST_YOOKASSA_API_URL", "yookassa"),
        ("HOLDFAST_STRIPE_API_URL", "ftp://stripe.example"),
        ("HOLDFAST_YOOKASSA_ADDRESSES", "everywhere"),
        ("HOLDFAST_PAYMENT_API_URLS", "https://a.example, nowhere"),
    ],
)
def test_a_wrong_setting_of_payments_is_named(name: str, value: str) -> None:
    """A server does not start with an address of a provider that is none (K-3)."""
    with pytest.raises(ConfigurationError, match=name):
        read({name: value})
