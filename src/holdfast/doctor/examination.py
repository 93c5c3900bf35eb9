"""The doctor's round: from what stands lowest to what stands on it."""

from collections.abc import Callable, Iterator

import psycopg

from holdfast import config
from holdfast.doctor.backups import examine_backups
from holdfast.doctor.calendars import examine_calendars
from holdfast.doctor.database import (
    examine_backfills,
    examine_contacts,
    examine_database,
    examine_keys,
    examine_worker,
)
from holdfast.doctor.findings import Finding, problem
from holdfast.doctor.machine import examine_machine
from holdfast.doctor.payments import examine_payments
from holdfast.doctor.zones import examine_zones
from holdfast.kernel.embedded import EmbeddedPostgresError, running_uri

# `row_security` off makes a policy that would hide rows an error.
_OPTIONS = "-c search_path=public -c timezone=UTC -c default_transaction_read_only=on -c row_security=off"


def examine(settings: config.Settings, report: Callable[[str], None]) -> list[Finding]:
    """Return what there is to say, the database first. May run beside a live server.

    Changes nothing but the token of a calendar that has run out.

    A database that cannot be reached is a finding like any other, and the machine is looked at all the same.
    """
    findings: list[Finding] = []
    for finding in _database(settings):
        findings.append(finding)
        report(f"examining: {finding.check}")
    return findings + examine_machine(settings)


def _database(settings: config.Settings) -> Iterator[Finding]:
    try:
        dsn = settings.dsn if settings.dsn is not None else running_uri(settings.data_dir)
        with psycopg.connect(dsn, autocommit=True, options=_OPTIONS, connect_timeout=10) as connection:
            found = list(examine_database(connection, config.application_dsn(settings, dsn), pooler=settings.pooler))
            yield from found
            yield examine_backups(connection, settings)
            # Without the tables of this release there is nothing more to ask for.
            if all(each.level == "ok" for each in found if each.check in {"migrations", "role"}):
                yield examine_worker(connection)
                yield from examine_backfills(connection)
                yield examine_contacts(connection)
                key = known_key(settings)
                if key is not None:
                    yield examine_keys(dsn, key)
                    yield from examine_calendars(connection, settings, dsn, key)
                    yield from examine_payments(connection, settings, dsn, key)
                yield from examine_zones(connection)
    except (EmbeddedPostgresError, psycopg.OperationalError) as error:
        advice = (
            "Start `holdfast serve`." if settings.dsn is None else "Mend HOLDFAST_DSN or --dsn, or start the server."
        )
        yield problem("database", f"cannot be reached: {_reason(error)}", advice)


def known_key(settings: config.Settings) -> bytes | None:
    """Return the master key; None where there is none to be read, which is told of the machine."""
    try:
        return config.known_master_key(settings)
    except (config.ConfigurationError, OSError):
        return None


def _reason(error: Exception) -> str:
    """Return the last line of a reason, which is about this attempt; a DSN is not in it.

    libpq goes on with indented lines, which ask what may be wrong: they are passed over.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line[0].isspace()] or lines or ["no reason was given"]
    return told[-1].strip()
