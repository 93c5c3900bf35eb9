"""What whoever runs a server learns of calendars: the doctor's findings, the figures, and nothing private in the logs."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from calendars.accounts.owners import GOOGLE, INTEGRATIONS, PUBLIC_URL, Owner
from calendars.accounts.test_using_connections import PRIMARY, SECOND, choose, look, watched
from calendars.google.server import settings_of
from conftest import MASTER_KEY
from holdfast import config
from holdfast.calendars import errors
from holdfast.calendars.advice import ADVICE, advice_on
from holdfast.calendars.port import CalendarError
from holdfast.calendars.settings import CalendarSettings, GoogleSettings
from holdfast.doctor.calendars import examine_calendars
from holdfast.doctor.examination import examine
from holdfast.doctor.findings import Finding
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import UserError
from house.sources import ROOT
from leaks.capture import Capture, judge, listening

TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.fixture
def admin_uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """A URI of a database in which no other test has connected anything."""
    return postgres.uri(database=own_database)


@pytest.fixture
def app_uri(postgres: EmbeddedPostgres, own_database: str) -> str:
    """The same as the application's role."""
    return postgres.uri(user="holdfast_app", database=own_database)


async def findings(owner: Owner, **calendars: object) -> list[Finding]:
    """Return what the doctor has to say of calendars."""
    known: dict[str, object] = {"google": settings_of(owner.google), "public_url": PUBLIC_URL, **calendars}
    settings = config.Settings(
        dsn=owner.tenant.admin_uri,
        master_key=MASTER_KEY,
        calendars=CalendarSettings(**known),  # type: ignore[arg-type]
    )

    def look_at_all() -> list[Finding]:
        options = "-c default_transaction_read_only=on -c row_security=off"
        with psycopg.connect(owner.tenant.admin_uri, autocommit=True, options=options) as session:
            return list(examine_calendars(session, settings, owner.tenant.admin_uri, MASTER_KEY))

    return await asyncio.to_thread(look_at_all)


async def test_the_doctor_goes_all_the_way(owner: Owner) -> None:
    """The doctor renews a token that has run out, lists the calendars and reads those in use; all well, it says so in one
    line, without names and secrets (C-1).
    """
    assert await findings(owner) == []
    connection_id = await owner.connect()
    await choose(owner, SECOND, blocks=True)
    for remote in (PRIMARY, SECOND):
        await look(owner, remote)
    await watched(owner)
    owner.tenant.sql("update calendar_channels set last_message_at = now()")
    owner.google.oauth.expire_access_tokens()
    owner.tenant.sql("update calendar_connections set access_token_expires_at = now()")
    renewals, reads = owner.google.oauth.renewals, len(owner.google.called("calendar.events.list"))
    [finding] = await findings(owner)
    assert (finding.level, finding.check) == ("ok", "calendars")
    assert str(connection_id) in finding.message
    assert "all calendars in use answer (2)" in finding.message
    assert owner.google.oauth.renewals == renewals + 1
    assert len(owner.google.called("calendar.events.list")) == reads + 2
    assert PRIMARY not in repr(finding)


async def test_the_doctor_says_what_to_do(owner: Owner) -> None:
    """Of a calendar that is gone, cannot be written to, was not seen or is not told of, the doctor says what to do (C-1)."""
    await owner.connect()
    await choose(owner, SECOND, blocks=True)
    del owner.google.calendars[SECOND]
    owner.google.calendars[PRIMARY].roles[PRIMARY] = "reader"
    said = await findings(owner)
    assert {finding.level for finding in said} == {"warning"}
    assert all(finding.advice for finding in said)
    text = " ".join(finding.message for finding in said)
    for words in ("is not there any more", "cannot be written to", "was never seen", "has no channel"):
        assert words in text
    await watched(owner)
    owner.tenant.sql("update calendar_channels set created_at = now() - interval '1 hour', last_message_at = null")
    assert "nothing was ever told" in " ".join(finding.message for finding in await findings(owner))


async def test_the_doctor_tells_what_does_not_answer(owner: Owner) -> None:
    """A provider that fails, access that was withdrawn, a flag that is off, no client and one without a way back are told apart
    (C-1).
    """
    connection_id = await owner.connect()
    owner.google.faults.fail(503, times=99)
    [finding] = await findings(owner)
    assert (finding.level, finding.advice) == ("warning", ADVICE["unreachable"])
    owner.google.faults.clear()
    [finding] = await findings(owner, google=GoogleSettings())
    assert (finding.level, "HOLDFAST_GOOGLE_CLIENT_ID" in finding.advice) == ("warning", True)
    owner.google.oauth.void_grants()
    owner.google.oauth.expire_access_tokens()
    for _ in range(2):
        [finding] = await findings(owner)
        assert (finding.level, finding.advice) == ("warning", ADVICE["needs_reconnect"])
    assert finding.details["connection"] == str(connection_id)
    said = await findings(owner, public_url=None)
    assert "HOLDFAST_PUBLIC_URL" in said[0].advice
    await owner.done("PUT", "/api/admin/settings/gcal_integration_enabled", {"value": "off"})
    asked = len(owner.google.calls)
    [finding] = await findings(owner)
    assert (finding.level, len(owner.google.calls)) == ("ok", asked)


async def test_the_round_of_the_doctor_has_calendars_in_it(owner: Owner) -> None:
    """`holdfast doctor` looks at calendars with everything else (C-1)."""
    await owner.connect()
    settings = config.Settings(
        dsn=owner.tenant.admin_uri,
        master_key=MASTER_KEY,
        calendars=CalendarSettings(settings_of(owner.google), PUBLIC_URL),
    )
    found = await asyncio.to_thread(examine, settings, lambda _: None)
    assert [finding for finding in found if finding.check == "calendars"]


async def test_the_figures_tell_how_calendars_are(owner: Owner) -> None:
    """Monitors see by provider how many accounts work, the greatest lag, the last success, the queue of exports, looks by
    their outcome and refusals for want of quota; no name of anybody (C-1).
    """
    connection_id = await owner.connect()
    await look(owner, PRIMARY)
    owner.tenant.sql("update calendars set last_success_at = now() - interval '100 seconds' where blocks")
    owner.google.faults.fail(403, "rateLimitExceeded", times=9)
    await look(owner, PRIMARY)
    owner.google.faults.clear()
    text = (await owner.tenant.http.get("/metrics")).text
    assert 100 <= figure(text, 'holdfast_calendar_lag_seconds{provider="google"}') < 160
    assert figure(text, 'holdfast_calendar_last_success_timestamp_seconds{provider="google"}') > 1_700_000_000
    assert figure(text, 'holdfast_calendar_exports_waiting{provider="google"}') == 0
    assert figure(text, 'holdfast_calendar_oldest_export_seconds{provider="google"}') == 0
    assert figure(text, 'holdfast_calendar_connections{provider="google",state="connected"}') == 1
    assert figure(text, 'holdfast_calendar_syncs_total{outcome="ok",provider="google"}') >= 1
    assert figure(text, 'holdfast_calendar_syncs_total{outcome="quota_exceeded",provider="google"}') >= 1
    assert figure(text, 'holdfast_calendar_quota_refusals_total{provider="google"}') >= 1
    assert PRIMARY not in text
    assert str(connection_id) not in text


def figure(text: str, name: str) -> float:
    """Return the value of a figure."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


async def test_no_flow_tells_a_secret(owner: Owner) -> None:
    """Whatever becomes of connecting, looking, refusing, renewing and leaving: no token, code, state or name stands in a
    log line, an error or the audit log (C-7, calendars 20).
    """
    capture = Capture()
    with listening(capture):
        back = owner.consent(await owner.leave())
        for text in back.values():
            capture.guard_secret(text, "what Google sends along")
        wrong = {"state": back["state"] + "x", "code": back["code"]}
        assert (await owner.come_back(wrong)).status_code == 400
        assert (await owner.come_back(back)).status_code == 200
        assert (await owner.come_back(back)).status_code == 400
        await watched(owner)
        for status, reason in ((500, "backendError"), (403, "insufficientPermissions"), (429, "rateLimitExceeded")):
            owner.google.faults.fail(status, reason, times=9)
            await look(owner, PRIMARY)
            owner.google.faults.clear()
            owner.tenant.sql("update calendar_connections set state = 'connected', error_code = null")
        owner.google.oauth.void_grants()
        owner.google.oauth.expire_access_tokens()
        await look(owner, PRIMARY)
        assert (await owner.only())["needsReconnect"]
        connection_id = await owner.connect()
        assert (await owner.call("POST", f"{GOOGLE}/sync", {})).status_code == 202
        tokens = [
            text for each in await owner.connections() for text in (each.access_token, each.refresh_token) if text
        ]
        owner.google.faults.fail(503, times=99)
        await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
        owner.google.faults.clear()
    assert len(tokens) == 2
    told = list(capture.heard())
    assert any("calendar_farewell_failed" in line for _, line in told), "the logs were heard"
    assert set(tokens) <= set(capture.private())
    judge(capture)
    assert owner.in_the_open(*tokens, *back.values()) == []


def test_every_code_has_advice() -> None:
    """Whatever code says why a calendar does not work, there are words on what to do, and the document tells every code and
    every refusal (C-1).
    """
    assert advice_on(None) is None
    assert advice_on("never heard of") == ADVICE["calendar_error"]
    assert {each.code for each in (CalendarError, *subclasses(CalendarError))} <= set(ADVICE)
    text = (ROOT / "docs" / "calendars.md").read_text(encoding="utf-8")
    refusals = {each.code for each in vars(errors).values() if isinstance(each, type) and issubclass(each, UserError)}
    assert [code for code in sorted({*ADVICE, *refusals} - {""}) if f"`{code}`" not in text] == []


def subclasses(of: type[CalendarError]) -> list[type[CalendarError]]:
    """Return every error of the port that is one of these."""
    return [each for direct in of.__subclasses__() for each in (direct, *subclasses(direct))]
