"""Signing in: who gets in, what a browser is given, and what a stranger can learn from a refusal."""

import asyncio
import hashlib
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher

from holdfast.identity import users
from holdfast.identity.passwords import Passwords
from holdfast.identity.permissions import MATRIX, Role
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Database
from holdfast.kernel.errors import TryLater
from holdfast.kernel.privacy import Undecipherable
from identity.entrance import PASSWORD, Practice, open_entrance, refused

KNOWN, RUSSIAN = "a password that I know", "мой длинный пароль"


async def test_a_user_signs_in(practice: Practice) -> None:
    """With address, however it is cased, and password a user gets a login that tells who they are and may (H-4)."""
    user = await practice.user(Role.ASSISTANT, Role.EDITOR, email="Front.Desk@practice.test")
    browser = practice.browser()
    answer = await browser.sign_in(" front.desk@PRACTICE.test ")
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["userId"], told["email"], told["name"]) == (str(user.id), "Front.Desk@practice.test", "Guest")
    assert told["roles"] == ["assistant", "editor"]
    assert set(told["permissions"]) == MATRIX[Role.ASSISTANT] | MATRIX[Role.EDITOR]
    again = await browser.http.get("/api/admin/login")
    assert again.json() == told


async def test_the_cookie_is_kept_from_scripts_and_other_sites(practice: Practice) -> None:
    """The cookie is HttpOnly, Lax and of all paths; without https it says nothing of it, and has a plain name (H-4)."""
    user = await practice.user(Role.OWNER)
    given = (await practice.browser().sign_in(user.email)).headers["set-cookie"]
    name, _, rest = given.partition("=")
    assert name == "holdfast"
    assert rest.split("; ")[1:] == ["Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Lax"]


@pytest.mark.parametrize(
    ("settings", "headers", "https"),
    [
        ({"https_only": True}, {}, True),
        ({"trusted": True}, {"X-Forwarded-Proto": "https"}, True),
        ({"trusted": True}, {"X-Forwarded-Proto": "http"}, False),
        ({}, {"X-Forwarded-Proto": "https"}, False),
    ],
)
async def test_over_https_the_cookie_stays_there(
    app_uri: str, database: Database, settings: dict[str, Any], headers: dict[str, str], https: bool
) -> None:
    """Over https, as a trusted proxy or a setting says, the cookie is Secure and bound to its host by its name (H-4)."""
    if settings.pop("trusted", False):
        settings = {"trusted_proxies": (ip_network("203.0.113.0/24"),)}
    async with open_entrance(app_uri, database, **settings) as practice:
        user = await practice.user(Role.OWNER)
        given = (await practice.browser("203.0.113.9", **headers).sign_in(user.email)).headers["set-cookie"]
    assert given.startswith("__Host-holdfast=" if https else "holdfast=")
    assert given.endswith("; Secure") == https


async def test_a_refusal_tells_nothing_of_who_there_is(practice: Practice) -> None:
    """A wrong password, an unknown address, a deactivated and an invited user hear the same, to the letter (H-4)."""
    user = await practice.user(Role.OWNER)
    gone = await practice.user(Role.EDITOR)
    owner = await practice.signed_in(user)
    answer = await owner.call("PATCH", f"/api/admin/users/{gone.id}", {"active": False})
    assert answer.status_code == 200, answer.text
    invited = await practice.user(Role.EDITOR, password=None)
    heard = set()
    for email, password in (
        (user.email, PASSWORD + "r"),
        ("nobody@practice.test", PASSWORD),
        (gone.email, PASSWORD),
        (invited.email, PASSWORD),
        ("no address at all", PASSWORD),
    ):
        answer = await practice.browser().sign_in(email, password)
        refused(answer, 401, "wrong_credentials")
        assert "set-cookie" not in answer.headers
        heard.add(answer.text)
    assert len(heard) == 1


async def test_a_refusal_takes_the_same_work(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    """For nobody as for somebody one password is checked, with the same parameters, after the same statements (H-4)."""
    user = await practice.user(Role.OWNER)
    hashes: list[str] = []
    statements: list[str] = []
    hasher = practice.app.state.entrance.passwords._hasher
    verify, execute = type(hasher).verify, psycopg.AsyncCursor.execute

    def noted_verify(self: Any, kept: str, password: bytes) -> bool:
        hashes.append(kept.rpartition("$")[0].rpartition("$")[0])
        return bool(verify(self, kept, password))

    async def noted_execute(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        statements.append(str(query))
        return await execute(self, query, *more, **options)

    monkeypatch.setattr(type(hasher), "verify", noted_verify)
    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noted_execute)
    await practice.browser().sign_in(user.email, "a wrong password")
    seen = []
    for email in (user.email, "nobody@practice.test"):
        hashes.clear()
        statements.clear()
        refused(await practice.browser().sign_in(email, "a wrong password"), 401, "wrong_credentials")
        seen.append((list(hashes), list(statements)))
    assert len(seen[0][0]) == 1
    assert len(seen[0][1]) > 1
    assert seen[0] == seen[1]


async def test_nothing_that_opens_is_in_the_database(practice: Practice, admin_uri: str) -> None:
    """Of password, cookie, address, name and browser no table has a readable word; of the cookie, a hash (H-4, D-5)."""
    user = await practice.user(Role.OWNER, email="unmistakable.person@practice.test")
    browser = practice.browser(**{"User-Agent": "Unmistakable/1.0"})
    await browser.sign_in(user.email)
    secret = browser.cookie.rpartition(".")[2]
    words = [PASSWORD, secret, "unmistakable", "$argon2"]
    with psycopg.connect(admin_uri) as admin:
        tables = admin.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (table,) in tables:
            for word in words:
                # As text, and as the bytes that a text would be.
                found = admin.execute(
                    f"select count(*) from {table} t where strpos(lower(t::text), lower(%s)) > 0"
                    " or strpos(lower(t::text), %s) > 0".encode(),
                    [word, word.encode().hex()],
                ).fetchone()
                assert found == (0,), (table, word)
        hashes = admin.execute("select token_hash from logins where user_id = %s", [user.id]).fetchall()
    assert hashes == [(hashlib.sha256(secret.encode()).digest(),)]


async def test_the_hash_of_one_user_serves_no_other(practice: Practice, admin_uri: str) -> None:
    """Whoever copies in the database what is kept of one password into another user's row has gained nothing (D-5)."""
    known = await practice.user(Role.EDITOR, password=KNOWN)
    owner = await practice.user(Role.OWNER)
    with psycopg.connect(admin_uri) as admin:
        admin.execute(
            "update users u set password = k.password from users k where u.id = %s and k.id = %s", [owner.id, known.id]
        )
    with pytest.raises(Undecipherable):
        await practice.app.state.entrance.sign_in(
            practice.business_id, owner.email, KNOWN, client="198.18.0.1", device=None
        )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda _: "",
        lambda text: f"{'0' * 32}{text[32:]}",
        lambda text: f"{text[:33]}{'0' * 32}{text[65:]}",
        lambda text: text.upper(),
    ],
)
async def test_what_is_not_the_cookie_opens_nothing(practice: Practice, spoil: Callable[[str], str]) -> None:
    """A cookie that is not to the letter one that was given is nobody's (H-4)."""
    browser = await practice.signed_in(await practice.user(Role.OWNER))
    assert await browser.is_in()
    browser.http.cookies = {"holdfast": spoil(browser.cookie)}
    assert not await browser.is_in()


@pytest.mark.parametrize(
    "change",
    [
        "last_used_at = now() - interval '12 hours'",
        "last_used_at = now(), expires_at = now()",
    ],
)
async def test_a_login_runs_out(practice: Practice, admin_uri: str, change: str) -> None:
    """Unused for its idle time, or at its last hour, a login is nobody's; a moment before it is still somebody's (H-4)."""
    user = await practice.user(Role.OWNER)
    browser = await practice.signed_in(user)
    with psycopg.connect(admin_uri) as admin:
        admin.execute(
            "update logins set last_used_at = now() - interval '11 hours 55 minutes',"
            " expires_at = now() + interval '1 minute' where user_id = %s",
            [user.id],
        )
    assert await browser.is_in()
    with psycopg.connect(admin_uri) as admin:
        admin.execute(f"update logins set {change} where user_id = %s".encode(), [user.id])
    assert not await browser.is_in()


async def test_use_is_noted_once_a_minute(practice: Practice, admin_uri: str) -> None:
    """Within a minute no call writes that a login was used; a minute later one does (H-4)."""
    user = await practice.user(Role.OWNER)
    browser = await practice.signed_in(user)

    def noted() -> tuple[object, ...] | None:
        with psycopg.connect(admin_uri) as admin:
            return admin.execute("select last_used_at, xmin::text from logins where user_id = %s", [user.id]).fetchone()

    first = noted()
    await asyncio.gather(*(browser.is_in() for _ in range(4)))
    assert noted() == first
    with psycopg.connect(admin_uri) as admin:
        admin.execute("update logins set last_used_at = now() - interval '61 seconds' where user_id = %s", [user.id])
    before = noted()
    assert await browser.is_in()
    assert noted() != before


@pytest.mark.usefixtures("_passwords_cost_what_they_do")
async def test_passwords_do_not_pile_up() -> None:
    """More passwords at once than a server can bear are refused, and those before them are answered (H-3)."""
    passwords = Passwords(at_once=1, waiting=2)
    told = await asyncio.gather(*(passwords.proves(PASSWORD, None) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in told] == [bool, bool, bool, TryLater, TryLater]
    assert await passwords.proves(PASSWORD, None) is False


@pytest.mark.usefixtures("_passwords_cost_what_they_do")
async def test_a_password_is_kept_by_the_parameters_of_today(practice: Practice, admin_uri: str) -> None:
    """A password that was kept under weaker parameters is kept anew when it is used, and opens as before (H-4)."""
    user = await practice.user(Role.OWNER, password=None)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    async with practice.database.transaction(practice.business_id) as tx:
        await users.set_password(tx, user.id, weak, actor=CONSOLE)

    async def kept() -> str:
        async with practice.database.transaction(practice.business_id) as tx:
            [row] = await tx.rows("select password from users where id = %s", [user.id])
            return (await tx.keys()).open("users.password", user.id, row["password"])

    await practice.signed_in(user)
    first = await kept()
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    await practice.signed_in(user)
    assert await kept() == first


async def test_letters_that_look_alike_are_alike(practice: Practice) -> None:
    """A password with a letter that keyboards compose differently is the same password (H-4)."""
    user = await practice.user(Role.OWNER, password=RUSSIAN)
    await practice.signed_in(user, RUSSIAN.replace("й", "и\u0306"))
