"""What a user does with their own logins and password."""

from uuid import uuid4

import psycopg
import pytest

from holdfast.identity import users
from holdfast.identity.logins import MOST_LOGINS
from holdfast.identity.permissions import Role
from holdfast.kernel.audit import CONSOLE
from identity.entrance import PASSWORD, Browser, Practice, refused

ANOTHER = "another long password"


async def listed(browser: Browser) -> list[dict[str, object]]:
    """Return the logins that a user sees."""
    answer = await browser.http.get("/api/admin/logins")
    assert answer.status_code == 200, answer.text
    logins: list[dict[str, object]] = answer.json()["logins"]
    return logins


async def test_signing_out_ends_this_login_only(practice: Practice) -> None:
    """Signing out ends the login and takes its cookie back; the user's other browsers stay signed in (H-4)."""
    user = await practice.user(Role.OWNER)
    browser, other = await practice.signed_in(user), await practice.signed_in(user)
    cookie = browser.cookie
    answer = await browser.call("DELETE", "/api/admin/login")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "holdfast" not in browser.http.cookies
    browser.http.cookies = {"holdfast": cookie}
    assert not await browser.is_in()
    assert await other.is_in()


async def test_a_user_sees_and_ends_their_logins(practice: Practice) -> None:
    """A user lists their own browsers, knows this one, and ends another; those of others are not theirs (H-4)."""
    user, colleague = await practice.user(Role.EDITOR), await practice.user(Role.OWNER)
    first = practice.browser(**{"User-Agent": "First Browser\t1"})
    first.csrf = (await first.sign_in(user.email)).json()["csrfToken"]
    second, strange = await practice.signed_in(user), await practice.signed_in(colleague)
    seen = await listed(first)
    assert [login["current"] for login in seen] == [False, True]
    assert seen[1]["device"] == "First Browser1"
    [theirs] = await listed(strange)
    for wanted in (theirs["loginId"], uuid4(), "nothing"):
        refused(await first.call("DELETE", f"/api/admin/logins/{wanted}"), 404, "unknown_login")
    assert (await first.call("DELETE", f"/api/admin/logins/{seen[0]['loginId']}")).status_code == 204
    assert [await browser.is_in() for browser in (first, second, strange)] == [True, False, True]


async def test_another_password_ends_the_other_logins(practice: Practice) -> None:
    """Changing the password needs the current one, ends every other login, and the old one opens nothing (H-4)."""
    user = await practice.user(Role.ASSISTANT)
    browser, other = await practice.signed_in(user), await practice.signed_in(user)
    path = "/api/admin/login/password"
    wrong = await browser.call("PUT", path, {"currentPassword": ANOTHER, "newPassword": ANOTHER})
    refused(wrong, 401, "wrong_credentials")
    for unfit in ("short", "a" * 20, "x" * 257):
        answer = await browser.call("PUT", path, {"currentPassword": PASSWORD, "newPassword": unfit})
        refused(answer, 400, "validation_failed")
        assert unfit not in answer.text
    assert await other.is_in()
    changed = await browser.call("PUT", path, {"currentPassword": PASSWORD, "newPassword": ANOTHER})
    assert changed.status_code == 204, changed.text
    assert (await browser.is_in(), await other.is_in()) == (True, False)
    refused(await other.sign_in(user.email, PASSWORD), 401, "wrong_credentials")
    await practice.signed_in(user, ANOTHER)


async def test_guesses_at_the_current_password_are_counted(practice: Practice) -> None:
    """Whoever has a user's browser has no more guesses at the password than anybody else (H-3)."""
    browser = await practice.signed_in(await practice.user(Role.ASSISTANT))
    wish = {"currentPassword": "a wrong password", "newPassword": ANOTHER}
    codes = [(await browser.call("PUT", "/api/admin/login/password", wish)).status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2


async def test_a_password_that_changes_while_it_is_checked_opens_nothing(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing in with the old password while it is changed leaves no login that outlives the change (H-4)."""
    user = await practice.user(Role.OWNER)
    passwords = practice.app.state.entrance.passwords
    proves, kept = passwords.proves, await passwords.hashed(ANOTHER)

    async def proved_too_late(password: str, kept_before: str | None) -> bool:
        proved: bool = await proves(password, kept_before)
        await practice.database.run(
            practice.business_id, lambda tx: users.set_password(tx, user.id, kept, actor=CONSOLE)
        )
        return proved

    stranger = practice.browser()
    monkeypatch.setattr(passwords, "proves", proved_too_late)
    refused(await stranger.sign_in(user.email), 401, "wrong_credentials")
    assert not await stranger.is_in()


async def test_logins_do_not_pile_up(practice: Practice, admin_uri: str) -> None:
    """Beyond the most that a user can have, and when it has run out, a login is deleted at the next one (H-4)."""
    user = await practice.user(Role.OWNER)
    browser = await practice.signed_in(user)
    with psycopg.connect(admin_uri) as admin:
        admin.execute(
            "insert into logins (business_id, id, user_id, token_hash, last_used_at, expires_at)"
            " select business_id, gen_random_uuid(), user_id, token_hash, now() + n * interval '1 second', expires_at"
            "   from logins, generate_series(1, %s) n where user_id = %s",
            [MOST_LOGINS + 5, user.id],
        )
        admin.execute(
            "insert into logins (business_id, id, user_id, token_hash, last_used_at, expires_at)"
            " select business_id, gen_random_uuid(), user_id, token_hash, now() + interval '1 hour', now() from logins"
            "  where user_id = %s limit 3",
            [user.id],
        )
    assert (await browser.sign_in(user.email)).status_code == 200
    assert len(await listed(browser)) <= MOST_LOGINS
    with psycopg.connect(admin_uri) as admin:
        left = admin.execute("select count(*) from logins where user_id = %s", [user.id]).fetchone()
    assert left == (MOST_LOGINS,)
