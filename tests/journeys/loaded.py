"""Servers with the business of a proof, and the clients of one that load them."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proof.check import examine
from proof.findings import Finding
from proof.history import History
from proof.load import Load, load
from proof.shop import connect
from proof.stage import Stage, furnish, look

from holdfast.config import key_of_file
from journeys.instance import Instance, clean_environment, serving
from leaks.capture import RUN
from payments.yookassa.fake import FakeYooKassa, fake_yookassa

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A server, what can be booked there, and a key of its owner."""

    instance: Instance
    stage: Stage
    staff_key: str
    shop: FakeYooKassa
    master_key: bytes


@dataclass(frozen=True)
class Staged:
    """A data directory with the business of a proof, and a key of its owner."""

    data_dir: Path
    staff_key: str

    @asynccontextmanager
    async def load(self, instance: Instance, path: Path, **more: Any) -> AsyncIterator[Load]:
        """Let clients come to a server on the directory for the time of the block, and write their history down."""
        history = History(path, 1, await asyncio.to_thread(look, instance.url))
        async with load([instance.url], history, clients=8, staff_key=self.staff_key, **more) as running:
            yield running

    async def broken(self, running: Load, instance: Instance) -> list[Finding]:
        """Settle a load on a server, end its history, and return every promise that was broken."""
        with running.around.history:
            await running.settle([instance.url])
        master_key = key_of_file(self.data_dir / "master.key")
        found = await asyncio.to_thread(examine, running.around.history, instance.dsn, None, master_key)
        concerned = {number for finding in found for number in finding.calls}
        for call in running.around.history.calls:
            if call.id in concerned:
                # Without them nobody can tell afterwards what has happened: the data directory goes with the test.
                log.error("of a finding: %s", call)
        return found


def statuses(running: Load) -> Counter[int]:
    """Return how many answers of each kind there were so far; 0 stands for none."""
    return Counter(call.status for call in running.around.history.calls)


def stage_in(data_dir: Path) -> Staged:
    """Make a data directory with the business of a proof, whose server has stopped."""
    with serving(data_dir) as instance:
        master_key = (data_dir / "master.key").read_text().strip()
        staff_key = furnish(instance.dsn, HOLDFAST_MASTER_KEY=master_key, **clean_environment())
        assert instance.stop() == 0
    return Staged(data_dir, staff_key)


@contextmanager
def loaded_server(data_dir: Path) -> Iterator[Loaded]:
    """Serve the business of a proof, with its worker, on a PostgreSQL of its own in a new data directory."""
    with fake_yookassa() as shop:
        RUN.guard_secret(shop.secret, "secret of a shop")
        settings = {
            "HOLDFAST_YOOKASSA_API_URL": shop.url,
            # As behind a proxy, which tells whom it has heard: one of YooKassa's published addresses.
            "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1",
            "HOLDFAST_PUBLIC_URL": "https://booking.example",
            "HOLDFAST_STAGE": "stage",
        }
        with serving(data_dir, **settings) as instance:
            master_key = (data_dir / "master.key").read_text().strip()
            staff_key = furnish(instance.dsn, HOLDFAST_MASTER_KEY=master_key, **clean_environment())
            tell_at = connect(instance.url, staff_key, shop)
            shop.webhooks.url = tell_at.replace("https://booking.example", instance.url)
            yield Loaded(instance, look(instance.url), staff_key, shop, bytes.fromhex(master_key))
