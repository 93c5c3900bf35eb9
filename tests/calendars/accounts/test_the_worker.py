"""The worker as it is started by its command, and a calendar that is really somewhere else."""

import asyncio
import os
import sys
from pathlib import Path
from uuid import UUID

from booking.opened import violations
from booking.tenants import application, open_tenant
from calendars.accounts.owners import INTEGRATIONS
from calendars.caldav.texts import ACCOUNT, PASSWORD, Radicale
from calendars.exporting import open_exporting
from conftest import MASTER_KEY
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.settings import CalendarSettings
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from journeys.load import until

FOREIGN = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:dentist\r\n"
    b"DTSTAMP:20260101T000000Z\r\nDTSTART:20270310T090000Z\r\nDTEND:20270310T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def test_a_worker_mirrors_and_exports_by_itself(
    postgres: EmbeddedPostgres, own_database: str, radicale: Radicale, calendar: str, tmp_path: Path
) -> None:
    """Once a calendar is connected, the worker blocks what it holds and writes appointments there, asked by nobody (C-2, C-3)."""
    app_uri, admin_uri = (postgres.uri(user=user, database=own_database) for user in ("holdfast_app", SUPERUSER))
    database = Database(app_uri, keyring=Keyring(MASTER_KEY, app_uri))
    await database.open()
    try:
        private = CalendarSettings(private_networks=True)
        async with application(app_uri, admin_uri, MASTER_KEY, calendars=private) as http:
            practice = await open_exporting(await open_tenant(http, database, admin_uri))
            tenant = practice.tenant
            tenant.sql("delete from calendar_connections")
            radicale.put(calendar, "dentist.ics", FOREIGN)
            account = {"address": calendar, "account": ACCOUNT, "password": PASSWORD}
            body = {"resourceId": str(practice.resources["ben"]), **account}
            await tenant.done("POST", f"{INTEGRATIONS}/caldav", body, role=Role.OWNER)
            booking_id = UUID(await practice.book(name="ben"))

            def both_ways() -> bool:
                [(blocked,)] = tenant.sql("select count(*) from calendar_busy_intervals")
                name = f"{event_id_of(booking_id)}.ics"
                path = calendar.removeprefix(radicale.address.rstrip("/"))
                return bool(blocked == 1 and radicale.ask("GET", f"{path}{name}").status == 200)

            assert not both_ways()
            log = tmp_path / "log"
            with log.open("w") as errors:
                worker = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "holdfast", "worker"),
                    stderr=errors,
                    env={
                        **os.environ,
                        "HOLDFAST_DSN": admin_uri,
                        "HOLDFAST_MASTER_KEY": MASTER_KEY.hex(),
                        "HOLDFAST_PRIVATE_CALENDARS": "1",
                    },
                )
            try:
                await until(both_ways)
            finally:
                worker.terminate()
                assert await asyncio.wait_for(worker.wait(), 30) == 0, log.read_text()
            assert PASSWORD not in log.read_text()
        assert violations(admin_uri) == []
    finally:
        await database.close()
