"""`holdfast keys rotate` beside a server whose clients book all the time."""

import asyncio
import json
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from holdfast.config import key_of_file
from holdfast.kernel.privacy import Keyring, TenantKeys
from journeys.instance import holdfast, serving
from journeys.loaded import Staged, statuses

VALUES = 100_000
# A process looks for new keys every second, so that one second, and not two minutes, is waited for.
QUICK = {"HOLDFAST_KEY_REFRESH_SECONDS": "1"}
PLACE = "webhook_events.body"


async def test_keys_rotate_while_clients_book(staged: Staged, tmp_path: Path) -> None:
    """100,000 values are sealed anew while clients reserve and commit: no request fails because of it, every value is under
    the new key and opens, and the invariants hold (D-5, B-25).
    """
    data_dir = staged.data_dir
    with serving(data_dir, **QUICK) as instance:
        keyring = Keyring(key_of_file(data_dir / "master.key"), instance.dsn, refresh_seconds=1)
        business = _business(instance.dsn)
        _forget_slower_processes(instance.dsn)
        rows = _fill(instance.dsn, await keyring.of(business))
        async with staged.load(instance, tmp_path / "history") as running:
            await running.until(lambda: running.acknowledged >= 20)
            rotated = await asyncio.to_thread(holdfast, "keys", "rotate", "--data", data_dir, "--json", **QUICK)
            before = running.acknowledged
            await running.until(lambda: running.acknowledged >= before + 20)
        assert rotated.returncode == 0, rotated.stderr
        [told] = json.loads(rotated.stdout)
        assert (told["generation"], told["broken"]) == (2, [])
        assert told["values"] >= VALUES
        assert set(statuses(running)) <= {200, 201, 204, 400, 409, 410, 422}
        keys = await keyring.of(business)
        with psycopg.connect(instance.dsn) as admin:
            assert admin.execute("select generation from tenant_keys where purpose = 'data'").fetchall() == [(2,)]
            sample = admin.execute("select id, body from webhook_events tablesample bernoulli (1)").fetchall()
        assert sample
        assert all(keys.open(PLACE, id_, bytes(body)) == rows[id_] for id_, body in sample)
        assert await staged.broken(running, instance) == []


def _business(dsn: str) -> UUID:
    with psycopg.connect(dsn) as admin:
        row = admin.execute("select id from businesses").fetchone()
    assert row is not None
    return UUID(str(row[0]))


def _forget_slower_processes(dsn: str) -> None:
    """Let the rotation not wait for the server that made the data directory, which read keys once a minute and has ended."""
    with psycopg.connect(dsn) as admin:
        admin.execute("update tenant_keys set refresh_seconds = 1")


def _fill(dsn: str, keys: TenantKeys) -> dict[UUID, str]:
    """Store so many sealed values; return their texts by row."""
    texts = {uuid4(): f"confided {number}" for number in range(VALUES)}
    columns = "business_id, id, provider, event_id, type, object_id, body"
    with (
        psycopg.connect(dsn) as admin,
        admin.cursor().copy(f"copy webhook_events ({columns}) from stdin".encode()) as rows,
    ):
        for row, text in texts.items():
            sealed = keys.seal(PLACE, row, text)
            rows.write_row((keys.business_id, row, "yookassa", str(row), "payment.succeeded", str(row), sealed))
    return texts
