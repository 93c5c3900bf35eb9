"""Access tokens: renewed by one for all, and what happens when a grant is void."""

import asyncio
import json
import logging
import sys
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from booking.opened import until_blocked
from calendars.google.adapter import looked
from calendars.google.connected import Connected, connected
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from conftest import MASTER_KEY
from holdfast.calendars import google_oauth
from holdfast.calendars.connections import ConnectionState, Tokens, put_tokens, set_state
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.port import NeedsReconnect, QuotaExceeded, Refused, Unreachable
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring

_SCRIPT = Path(__file__).parent / "google" / "renewing.py"


async def _process(here: Connected, app_uri: str, refused: str) -> asyncio.subprocess.Process:
    given = {
        "dsn": app_uri,
        "master_key": MASTER_KEY.hex(),
        "business": str(here.business_id),
        "connection": str(here.connection_id),
        "settings": asdict(settings_of(here.google)),
        "refused": refused,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, _SCRIPT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None, "stdin is a pipe"
    process.stdin.write(json.dumps(given).encode())
    process.stdin.write_eof()
    return process


async def test_two_processes_renew_once(google: FakeGoogle, database: Database, app_uri: str, admin_uri: str) -> None:
    """Of two processes whose token is refused one renews it, while the other waits for it and then has the same
    (C-1, calendars 17).
    """
    here = await connected(google, database)
    refused = (await here.read()).access_token
    assert refused is not None
    gate = google.faults.hold(only="oauth.token")
    first = await _process(here, app_uri, refused)
    assert await asyncio.to_thread(gate.arrived.wait, 60)
    second = await _process(here, app_uri, refused)
    ended = asyncio.create_task(second.wait())
    await until_blocked(admin_uri, ended)
    gate.released.set()
    printed = [(await process.communicate())[0].decode().strip() for process in (first, second)]
    assert await ended == 0
    assert google.oauth.renewals == 1
    assert printed[0] == printed[1] == (await here.read()).access_token != refused


async def test_a_token_is_used_until_shortly_before_its_end(google: FakeGoogle, database: Database) -> None:
    """A token that is good is asked of nobody; one that ends within a minute and a half is renewed first (C-1, calendars 17)."""
    here = await connected(google, database)
    grant, stored = await here.grant(), await here.read()
    assert await grant.access_token() == stored.access_token
    assert google.oauth.renewals == 0
    google.oauth.expires_in = 60
    first = await grant.access_token(stored.access_token)
    second = await grant.access_token()
    assert len({stored.access_token, first, second}) == 3
    assert google.oauth.renewals == 2


async def test_an_old_copy_takes_what_others_have_renewed(google: FakeGoogle, database: Database) -> None:
    """Who holds a token that others have replaced meanwhile finds theirs, and renews nothing (C-1, calendars 17)."""
    here = await connected(google, database)
    old, another = await here.grant(), await here.grant()
    stored = (await here.read()).access_token
    renewed = await another.access_token(stored)
    assert await old.access_token(stored) == renewed
    assert await old.access_token() == renewed
    assert google.oauth.renewals == 1


async def test_one_refusal_is_one_renewal_and_one_more_request(google: FakeGoogle, database: Database) -> None:
    """A look whose token is refused goes on with a new one (C-1, calendars 17)."""
    here = await connected(google, database)
    calendar = google.calendar()
    google.oauth.expire_access_tokens()
    adapter = GoogleCalendar(settings_of(google), await here.grant(), None)
    await looked(adapter, calendar.id)
    await looked(adapter, calendar.id)
    await adapter.close()
    assert [call.status for call in google.calls] == [401, 200, 200]
    assert google.oauth.renewals == 1


async def test_an_answer_without_refresh_token_keeps_the_old_one(google: FakeGoogle, database: Database) -> None:
    """The refresh token stays when an answer has none, and is replaced when it has one (C-1, calendars 20)."""
    here = await connected(google, database)
    before = await here.read()
    grant = await here.grant()
    await grant.access_token(before.access_token)
    kept = await here.read()
    assert kept.refresh_token == before.refresh_token
    assert kept.access_token != before.access_token
    google.oauth.rotates = True
    await grant.access_token(kept.access_token)
    replaced = await here.read()
    assert replaced.refresh_token != before.refresh_token
    await grant.access_token(replaced.access_token)
    assert google.oauth.renewals == 3


async def test_a_void_grant_is_told_once(google: FakeGoogle, database: Database, app_uri: str) -> None:
    """`invalid_grant` makes the connection need its owner and puts one item before staff, whoever meets it and however
    often; nothing more is asked of Google until it is connected again (C-1, calendars 17).
    """
    here = await connected(google, database)
    google.oauth.void_grants()
    async with AsyncExitStack() as stack:
        other = Database(app_uri, keyring=Keyring(MASTER_KEY, app_uri))
        await other.open()
        stack.push_async_callback(other.close)
        grants = [await here.grant(), await here.grant(other), await here.grant()]
        stored = (await here.read()).access_token
        met = await asyncio.gather(*(grant.access_token(stored) for grant in grants), return_exceptions=True)
        met += [await asyncio.gather((await here.grant()).access_token(), return_exceptions=True)]
    assert [type(one) for one in met[:3]] == [NeedsReconnect] * 3
    assert type(met[3][0]) is NeedsReconnect
    connection = await here.read()
    assert (connection.state, connection.error_code) == (ConnectionState.NEEDS_RECONNECT, "needs_reconnect")
    assert await here.items() == [("calendar_needs_reconnect", here.connection_id, 1)]


async def test_a_grant_works_again_once_it_is_given_again(google: FakeGoogle, database: Database) -> None:
    """A connection that needed its owner goes on with what was granted anew (C-1, calendars 17)."""
    here = await connected(google, database)
    google.oauth.void_grants()
    with pytest.raises(NeedsReconnect):
        await (await here.grant()).access_token((await here.read()).access_token)
    access, refresh = google.oauth.grant(google.oauth.account, *google_oauth.SCOPES)
    async with database.transaction(here.business_id) as tx:
        await put_tokens(tx, here.connection_id, Tokens(access, (await here.read()).connected_at, refresh))
        await set_state(tx, here.connection_id, ConnectionState.CONNECTED)
    grant = await here.grant()
    assert await grant.access_token(access) not in {None, access}


async def test_what_does_not_last_leaves_a_connection_as_it_is(google: FakeGoogle, database: Database) -> None:
    """A renewal that fails for other reasons is tried again later: nothing is stored, nobody is told (C-1, calendars 16, 17)."""
    here = await connected(google, database)
    stored = await here.read()
    grant = await here.grant()
    google.faults.fail(503, only="oauth", retry_after="9")
    google.faults.fail(429, "rateLimitExceeded", only="oauth", retry_after="11")
    google.faults.cut(after=False, only="oauth")
    google.faults.fail(400, "unknown", only="oauth")
    for error, seconds in ((Unreachable, 9), (QuotaExceeded, 11), (Unreachable, None), (Refused, None)):
        with pytest.raises(error) as met:
            await grant.access_token(stored.access_token)
        assert getattr(met.value, "retry_after", None) == seconds
    assert await here.read() == stored
    assert await here.items() == []
    assert await grant.access_token(stored.access_token) != stored.access_token


async def test_a_renewal_does_not_wait_for_ever(
    google: FakeGoogle, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token endpoint that does not answer in time lets the row go (C-1, calendars 17)."""
    monkeypatch.setattr(google_oauth, "_SECONDS", 0.1)
    here = await connected(google, database)
    gate = google.faults.hold(only="oauth")
    grant = await here.grant()
    with pytest.raises(Unreachable):
        await grant.access_token((await here.read()).access_token)
    assert gate.arrived.is_set()


async def test_a_connection_that_is_gone_has_no_token(google: FakeGoogle, database: Database) -> None:
    """Whoever was disconnected meanwhile asks Google for nothing more (C-1, calendars 17)."""
    here = await connected(google, database)
    grant, token = await here.grant(), (await here.read()).access_token
    async with database.transaction(here.business_id) as tx:
        await tx.run("delete from calendar_connections where id = %s", [here.connection_id])
    with pytest.raises(NeedsReconnect):
        await grant.access_token(token)
    assert google.oauth.renewals == 0


async def test_what_was_granted_is_given_back(google: FakeGoogle, database: Database) -> None:
    """Revoking voids the grant at Google; a grant that is void already is as good as given back (C-1, calendars 17)."""
    here = await connected(google, database)
    google.calendar()
    adapter = GoogleCalendar(settings_of(google), await here.grant(), None)
    await adapter.revoke()
    with pytest.raises(NeedsReconnect):
        await adapter.calendars()
    await adapter.revoke()
    google.faults.fail(503, only="oauth.revoke")
    with pytest.raises(Unreachable):
        await adapter.revoke()
    await adapter.close()


async def test_tokens_are_told_to_nobody(
    google: FakeGoogle, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither logs, whatever their level, nor errors, nor what is stored in plain, nor representations have a token
    (C-7, calendars 20).
    """
    here = await connected(google, database)
    before = await here.read()
    with caplog.at_level(logging.INFO):
        grant = await here.grant()
        google.faults.fail(400, "unknown", only="oauth")
        with pytest.raises(Refused) as refused:
            await grant.access_token(before.access_token)
        await grant.access_token(before.access_token)
        google.oauth.void_grants()
        with pytest.raises(NeedsReconnect) as void:
            await grant.access_token((await here.read()).access_token)
    after = await here.read()
    async with database.transaction(here.business_id) as tx:
        rows = await tx.rows(
            "select to_jsonb(e)::text as row from audit_log e union all select to_jsonb(a)::text from attention_items a"
        )
    told = [
        caplog.text,
        repr(refused.value),
        repr(void.value),
        repr(before),
        *(row["row"] for row in rows),
    ]
    secrets = {before.access_token, after.access_token, before.refresh_token, google.oauth.client_secret}
    assert len(secrets) == 4
    assert not [secret for secret in secrets for text in told if secret is None or secret in text]
