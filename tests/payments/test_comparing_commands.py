"""`holdfast payments reconcile` and `balance`, as processes of their own."""

import asyncio
import json
import subprocess
from functools import partial

from conftest import MASTER_KEY
from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.instance import holdfast
from payments.comparing import forget, lose
from payments.paying import PRICE_MINOR, Paying, paying_at_yookassa
from payments.yookassa.fake import FakeYooKassa


async def run(till: Paying, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of payments on the database of a practice."""
    environment = {"HOLDFAST_MASTER_KEY": MASTER_KEY.hex(), "HOLDFAST_YOOKASSA_API_URL": till.fake.url}
    command = partial(holdfast, "payments", *words, "--dsn", till.admin_uri, **environment)
    return await asyncio.to_thread(command)


async def test_accounts_are_compared_by_a_command(
    postgres: EmbeddedPostgres, own_database: str, yookassa: FakeYooKassa
) -> None:
    """Whoever runs the server has an account compared at once, is told what was mended, and by exit code 1 that money is
    unexplained; a time that is none is refused (P-4).
    """
    app, admin = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    async with paying_at_yookassa(app, admin, yookassa) as till:
        payment = await till.begin()
        till.pay(payment)
        forget(till, payment)
        told = await run(till, "reconcile", "--since", "2026-01-01", "--json")
        assert told.returncode == 0, told.stderr
        [account] = json.loads(told.stdout)
        assert (account["account"], account["payments"], account["called"]) == (yookassa.shop_id, 1, 1)
        await till.work()
        assert await till.state(payment.booking_id) == "confirmed"

        told = await run(till, "reconcile")
        assert told.returncode == 0, told.stderr
        assert told.stdout.startswith(f"yookassa {yookassa.shop_id}: 1 payments and 0 refunds listed; 0 were otherwise")
        assert told.stdout.endswith("1 accounts compared\n")
        told = await run(till, "balance", "--json")
        [balance] = json.loads(told.stdout)
        assert (balance["captured_minor"], balance["earned_minor"]) == (PRICE_MINOR, PRICE_MINOR)
        assert "earned 5000.00" in (await run(till, "balance")).stdout

        lose(till, payment)
        remote = yookassa.shop.payments[str(payment.provider_payment_id)]
        remote["metadata"] = remote["metadata"] | {"booking_id": str(till.business_id)}
        assert (await run(till, "reconcile")).returncode == 1
        assert (await run(till, "reconcile", "--since", "yesterday")).returncode == 2
