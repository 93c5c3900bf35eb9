"""Attempts to sign in are limited for accounts and clients, by one count for all processes."""

import asyncio
from collections import Counter

import psycopg

from holdfast.identity import attempts
from holdfast.identity.attempts import ACCOUNT_LIMIT, CLIENT_LIMIT, WINDOW_SECONDS, Attempts
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from holdfast.kernel.errors import TooManyRequests
from identity.entrance import PASSWORD, Practice, refused

KEY = bytes(range(32))


async def attempt(by: Attempts, practice: Practice, email: str, client: str) -> bool:
    """Count an attempt; return whether it may be made."""
    try:
        await by.count(practice.business_id, email, client)
    except TooManyRequests:
        return False
    return True


def passes(admin_uri: str, seconds: float) -> None:
    """Let time pass for every count, without waiting."""
    with psycopg.connect(admin_uri) as admin:
        admin.execute("update login_attempts set began_at = began_at - make_interval(secs => %s)", [seconds])


async def test_the_limit_of_an_account_is_exact(practice: Practice, app_uri: str) -> None:
    """Of many guesses at once, by several servers and from everywhere, an account hears so many and no more (H-3)."""
    other = Database(app_uri, max_connections=5)
    await other.open()
    servers = [Attempts(practice.database, KEY), Attempts(other, KEY)]
    told = await asyncio.gather(
        *(
            attempt(servers[n % 2], practice, "Guest@practice.test" if n % 3 else " guest@PRACTICE.test", f"client {n}")
            for n in range(4 * ACCOUNT_LIMIT)
        )
    )
    await other.close()
    assert Counter(told)[True] == ACCOUNT_LIMIT
    assert await attempt(servers[0], practice, "another@practice.test", "client 1")


async def test_the_limit_of_a_client_is_exact(practice: Practice) -> None:
    """Of many guesses of one client at many accounts so many are heard; who is shut out shuts no account (H-3)."""
    by = Attempts(practice.database, KEY)
    told = await asyncio.gather(
        *(attempt(by, practice, f"{n}@practice.test", "198.18.0.1") for n in range(2 * CLIENT_LIMIT))
    )
    assert Counter(told)[True] == CLIENT_LIMIT
    assert not await attempt(by, practice, "last@practice.test", "198.18.0.1")
    counted = [await attempt(by, practice, "last@practice.test", f"client {n}") for n in range(ACCOUNT_LIMIT)]
    assert all(counted), "what was refused counted for nobody"


async def test_a_window_ends_when_it_ends(practice: Practice, admin_uri: str) -> None:
    """A window is over so long after its first guess, whatever was tried in it; then it can be forgotten (H-3)."""
    by = Attempts(practice.database, KEY)
    for n in range(ACCOUNT_LIMIT + 5):
        await attempt(by, practice, "guest@practice.test", f"client {n}")
    passes(admin_uri, WINDOW_SECONDS - 30)
    assert not await attempt(by, practice, "guest@practice.test", "another client")
    passes(admin_uri, 30)
    assert await attempt(by, practice, "guest@practice.test", "another client")
    async with practice.database.transaction() as tx:
        assert await attempts.forget(tx) >= ACCOUNT_LIMIT
    with psycopg.connect(admin_uri) as admin:
        left = admin.execute(
            "select count(*) from login_attempts where began_at <= now() - make_interval(secs => %s)", [WINDOW_SECONDS]
        ).fetchone()
    assert left == (0,)


async def test_a_refusal_says_when_to_come_back_and_nothing_else(practice: Practice) -> None:
    """After too many guesses the right password is refused as well, for an account as for nobody's (H-3, H-4)."""
    user = await practice.user(Role.OWNER)
    heard = []
    for email in (user.email, "nobody@practice.test"):
        for _ in range(ACCOUNT_LIMIT):
            refused(await practice.browser().sign_in(email, "a wrong password"), 401, "wrong_credentials")
        answer = await practice.browser().sign_in(email, PASSWORD)
        body = refused(answer, 429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_SECONDS
        assert body["details"].pop("retryAfterSeconds") == int(answer.headers["retry-after"])
        heard.append(body)
    assert heard[0] == heard[1]


async def test_who_gets_in_was_not_guessing(practice: Practice) -> None:
    """Signing in takes the account's guesses away and counts for no client (H-3)."""
    user = await practice.user(Role.OWNER)
    browser = practice.browser()
    for _ in range(CLIENT_LIMIT // (ACCOUNT_LIMIT - 1) + 1):
        for _ in range(3):
            refused(await browser.sign_in(user.email, "a wrong password"), 401, "wrong_credentials")
        for _ in range(3):
            assert (await browser.sign_in(user.email)).status_code == 200


async def test_a_count_tells_no_name(practice: Practice, admin_uri: str) -> None:
    """A row of the counts is a hash under a key: without it, neither address of mail nor of the net is found (D-5)."""
    for key in (KEY, bytes(32)):
        await attempt(Attempts(practice.database, key), practice, "guest@practice.test", "198.51.100.7")
    with psycopg.connect(admin_uri) as admin:
        rows = admin.execute("select subject from login_attempts where attempts = 1 order by began_at desc").fetchall()
    assert len({subject for (subject,) in rows[:4]}) == 4
    assert {len(subject) for (subject,) in rows} == {16}
