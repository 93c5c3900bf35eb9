"""The doctor before real databases: sound ones, damaged ones, and bookings that new zone data would move."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, open_practice
from holdfast import config
from holdfast.availability import walltime, zone_records
from holdfast.booking.contacts import Guest
from holdfast.doctor.examination import examine, known_key
from holdfast.doctor.findings import Finding
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring

TABLES = ("bookings", "claims", "businesses", "resources", "zone_records", "schema_migrations", "heartbeats")
# As if the clocks of Moscow had been an hour further ahead when the first bookings were made.
FORMERLY = [[1_735_689_600, 14_400]]


def settings_for(dsn: str) -> config.Settings:
    """Return the settings of somebody who has set what there is to set."""
    return config.Settings(dsn=dsn, master_key=bytes(32))


def examined(dsn: str) -> dict[str, list[Finding]]:
    """Return what the doctor finds, by what was looked at."""
    found: dict[str, list[Finding]] = {}
    for each in examine(settings_for(dsn), lambda _: None):
        found.setdefault(each.check, []).append(each)
    return found


def levels(found: dict[str, list[Finding]]) -> dict[str, set[str]]:
    """Return the levels of what was found, but for what differs from machine to machine."""
    return {name: {each.level for each in of_it} for name, of_it in found.items() if name not in {"disk", "open-files"}}


def contents(dsn: str) -> list[object]:
    """Return every row that the doctor might touch, with the transactions that wrote it."""
    with psycopg.connect(dsn) as connection:
        return [
            connection.execute(f"select t.*, t.xmin::text from {table} t order by 1, 2".encode()).fetchall()
            for table in TABLES
        ]


async def record(dsn: str) -> int:
    """Write down the zones as a worker does when it starts."""
    database = Database(dsn, min_connections=1, max_connections=2)
    await database.open()
    try:
        async with database.transaction() as tx:
            return await zone_records.record_zones(tx)
    finally:
        await database.close()


def moved(dsn: str) -> list[tuple[str, str, str, str]]:
    """Return the bookings that the doctor lists: id, zone, the wall time that was agreed on, and that of now."""
    [finding] = examined(dsn)["bookings"]
    return [(each["id"], each["zone"], each["agreed"], each["now"]) for each in finding.details.get("bookings", [])]


async def test_a_sound_database_is_found_sound(postgres: EmbeddedPostgres, own_database: str) -> None:
    """On a migrated database all is well but what the tests have switched off, and nothing is changed (K-1)."""
    dsn = postgres.uri(database=own_database)
    await record(dsn)
    with psycopg.connect(dsn) as admin:
        # The template is as old as the run of the tests; whoever migrates asks the doctor at once.
        admin.execute("update backfills set declared_at = clock_timestamp() where advanced_at is null")
    before = contents(dsn)
    found = await asyncio.to_thread(examined, dsn)
    assert contents(dsn) == before
    wrong = {name: of_it for name, of_it in levels(found).items() if of_it != {"ok"}}
    assert wrong == {"durability": {"problem"}, "worker": {"warning"}}
    assert "fsync" in found["durability"][0].message
    assert len(found["roles"]) == 3
    assert [each.check for of_it in found.values() for each in of_it if each.level != "ok" and not each.advice] == []


def test_an_empty_database_wants_a_migration(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A database without a schema, or with a part of it, has problems that a migration mends (K-1, D-1)."""
    dsn = postgres.uri(database=own_database)
    with psycopg.connect(dsn) as admin:
        admin.execute("delete from schema_migrations where name = '0303_booking'")
    [behind] = examined(dsn)["migrations"]
    assert (behind.level, behind.details) == ("problem", {"missing": ["0303_booking"]})
    with psycopg.connect(dsn) as admin:
        admin.execute("drop schema public cascade; create schema public")
    found = examined(dsn)
    assert (levels(found)["migrations"], levels(found)["extensions"]) == ({"problem"}, {"problem"})
    assert "holdfast migrate" in found["migrations"][0].advice
    assert "bookings" not in found


def test_a_database_of_a_later_release_is_told(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A database that a later release has migrated is a problem, and is not to be migrated back (K-1)."""
    dsn = postgres.uri(database=own_database)
    with psycopg.connect(dsn) as admin:
        admin.execute("insert into schema_migrations (name, digest) values ('9999_future', '')")
    [later] = examined(dsn)["migrations"]
    assert (later.level, "later release" in later.message) == ("problem", True)


def test_a_role_that_cannot_see_all_is_told(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Run as the role of the servers the doctor says that it may not see everything, and looks no further (K-1)."""
    found = examined(postgres.uri(user="holdfast_app", database=own_database))
    assert levels(found)["role"] == {"problem"}
    assert "bookings" not in found


def test_an_application_that_bypasses_the_rules_is_told(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Servers that would run as an administrator, or that cannot connect, are a problem (K-1)."""
    dsn = postgres.uri(database=own_database)
    for app_dsn, says in ((dsn, "bypasses"), (postgres.uri(user="nobody", database=own_database), "cannot connect")):
        found = examine(replace(settings_for(dsn), app_dsn=app_dsn), lambda _: None)
        [application] = [each for each in found if each.check == "application"]
        assert (application.level, says in application.message) == ("problem", True)


@pytest.mark.parametrize("settings", [config.Settings(dsn="postgresql://u:secret@127.0.0.1:1/none"), None])
def test_a_database_that_is_away_is_a_finding(settings: config.Settings | None, tmp_path: Path) -> None:
    """Without a database the doctor says so with what to do, quotes no password, and looks at the rest (K-1)."""
    found = examine(settings or config.Settings(data_dir=tmp_path), lambda _: None)
    assert [each.check for each in found] == ["database", "disk", "open-files", "master-key", "tzdata", "mail"]
    assert (found[0].level, bool(found[0].advice)) == ("problem", True)
    assert "secret" not in repr(found)


def test_a_zone_that_is_no_more_is_told(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A zone that the zone data has not, or no longer, is a problem that names who is in it (K-1, A-5)."""
    dsn = postgres.uri(database=own_database)
    with psycopg.connect(dsn) as admin:
        values = "('here', 'Here', 'Europe/Moscow', 'EUR'), ('there', 'There', 'Europe/Atlantis', 'EUR')"
        admin.execute(f"insert into businesses (slug, name, timezone, currency) values {values}".encode())
    [zones] = examined(dsn)["zones"]
    assert (zones.level, zones.message) == ("problem", "the zone data has no Europe/Atlantis (business there)")


async def test_another_master_key_is_told(postgres: EmbeddedPostgres, own_database: str, tmp_path: Path) -> None:
    """The key under which the data is kept is found well, another one is a problem; without one, or with a file that is
    none, nothing is claimed of it (K-1, D-5).
    """
    dsn = postgres.uri(database=own_database)
    with psycopg.connect(dsn, autocommit=True) as admin:
        values = "('here', 'Here', 'UTC', 'EUR') returning id"
        row = admin.execute(f"insert into businesses (slug, name, timezone, currency) values {values}".encode())
        [[business_id]] = row.fetchall()
    await Keyring(bytes(32), dsn).of(business_id)
    other = replace(settings_for(dsn), master_key=b"\x07" * 32)
    keyless = replace(settings_for(dsn), master_key=None)
    for settings, expected in ((settings_for(dsn), ["ok"]), (other, ["problem"]), (keyless, [])):
        found = await asyncio.to_thread(examine, settings, lambda _: None)
        told = [each for each in found if each.check == "tenant-keys"]
        assert [each.level for each in told] == expected
        assert all("Restore HOLDFAST_MASTER_KEY" in each.advice for each in told if each.level != "ok")
    (tmp_path / "master.key").write_text("no key")
    assert known_key(config.Settings(data_dir=tmp_path)) is None


async def test_zones_are_written_down_when_they_change(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Every zone is written down once, and again only when it differs (A-6)."""
    dsn = postgres.uri(user="holdfast_app", database=own_database)
    assert await record(dsn) == len(walltime.zones())
    assert await record(dsn) == 0
    with psycopg.connect(postgres.uri(database=own_database)) as admin:
        admin.execute("update zone_records set changes = '[[0, 0]]' where zone = 'Europe/Moscow'")
    assert await record(dsn) == 1
    assert await record(dsn) == 0


async def test_workers_that_start_together_write_once(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A worker that starts while another writes the zones down waits, and then sees what the other wrote (A-6)."""
    database = Database(postgres.uri(user="holdfast_app", database=own_database), max_connections=2)
    await database.open()
    try:
        async with database.transaction() as first:
            await zone_records.record_zones(first)
            async with database.transaction() as second:
                await second.run("set local lock_timeout = '50ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    await zone_records.record_zones(second)
        async with database.transaction() as after:
            assert await zone_records.record_zones(after) == 0
    finally:
        await database.close()


async def seaside(practice: Practice) -> None:
    """Give the practice a room in Moscow and a service there; the business itself is in UTC."""
    await practice.add_resource("room")
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set timezone = 'Europe/Moscow' where slug = 'room'")
    await practice.add_service("talk", ["room"])


async def test_bookings_that_new_zone_data_moves_are_listed(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A booking whose wall time is another one than under the zone data of its day is listed, for its place and for
    its client; what was agreed on later, or anew, is not; nothing is changed (A-6).
    """
    admin = postgres.uri(database=own_database)
    async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as practice:
        await record(admin)
        with psycopg.connect(admin) as connection:
            connection.execute(
                "update zone_records set changes = %s::jsonb where zone = 'Europe/Moscow'", [str(FORMERLY)]
            )
        await seaside(practice)
        here = (await practice.reserve("talk", START + 8 * HOUR_SECONDS, guest=Guest("a@example.org"))).id
        await practice.add_resource("studio")
        await practice.add_service("call", ["studio"])
        guest = Guest("b@example.org", timezone="Europe/Moscow")
        afar = (await practice.reserve("call", START + 9 * HOUR_SECONDS, guest=guest)).id
        await practice.reserve("call", START + 10 * HOUR_SECONDS, guest=Guest("c@example.org", timezone="Asia/Tokyo"))
        await record(admin)
        later = (await practice.reserve("talk", START + 11 * HOUR_SECONDS, guest=guest)).id
        assert here
        assert afar
        assert later
        day = walltime.local_day(START, "UTC").isoformat()
        before = contents(admin)
        expected = [
            (str(here), "Europe/Moscow", f"{day} 12:00", f"{day} 11:00"),
            (str(afar), "Europe/Moscow", f"{day} 13:00", f"{day} 12:00"),
        ]
        assert await asyncio.to_thread(moved, admin) == expected
        assert contents(admin) == before
        await practice.move(here, "talk", START + DAY_SECONDS)
        await practice.cancel(afar)
        assert await asyncio.to_thread(moved, admin) == []


async def test_bookings_of_groups_are_listed(postgres: EmbeddedPostgres, own_database: str) -> None:
    """A place in a group whose program is in a zone that has changed is listed, with held ones while they live (A-6)."""
    admin = postgres.uri(database=own_database)
    async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as practice:
        await record(admin)
        group = await practice.add_schedule(5)
        with psycopg.connect(admin) as connection:
            connection.execute(
                "update zone_records set changes = %s::jsonb where zone = 'Europe/Moscow'", [str(FORMERLY)]
            )
            connection.execute("update programs set timezone = 'Europe/Moscow'")
        held, spent = (await practice.join(group)).id, (await practice.join(group)).id
        await practice.run_out(spent)
        assert [each[0] for each in await asyncio.to_thread(moved, admin)] == [str(held)]


async def test_nothing_is_claimed_without_a_record(postgres: EmbeddedPostgres, own_database: str) -> None:
    """While nothing is written down of a zone the doctor does not say that its bookings are well (A-6)."""
    async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as practice:
        await seaside(practice)
        await practice.reserve("talk", guest=Guest("a@example.org"))
        found = await asyncio.to_thread(examined, postgres.uri(database=own_database))
    [bookings] = found["bookings"]
    assert (bookings.level, "Europe/Moscow" in bookings.message, "worker" in bookings.advice) == ("warning", True, True)
