"""Signing in by the page, and choosing the password to which an invitation entitles."""

import pytest

from admin.visiting import Visitor, form_to, visitor, wrong_fields
from holdfast.identity.permissions import Role
from identity.entrance import PASSWORD, Practice
from wording import say

ANOTHER = "another long password"


async def sign_in(practice: Practice, email: str, password: str, **more: str) -> tuple[Visitor, int, str]:
    """Return a browser after an attempt to sign in by the page, with where it has come to."""
    somebody = Visitor(practice.browser())
    page = await somebody.open("/admin/login", business=practice.slug)
    after = await somebody.send(form_to(page, "/login"), email=email, password=password, **more)
    return somebody, after.status, after.address


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_wrong_credentials_are_told_in_words(practice: Practice, language: str) -> None:
    """Whoever types a wrong password reads so in their language, keeps what they typed, and is not in (U-3, H-4)."""
    user, somebody = await practice.user(Role.OWNER), Visitor(practice.browser())
    page = await somebody.open("/admin/login", language, business=practice.slug)
    refused = await somebody.send(form_to(page, "/login"), language, email=user.email, password="wrong one")  # noqa: S106
    assert refused.status == 401
    assert say(language, "The e-mail address or the password is wrong") in refused.text
    assert form_to(refused, "/login").fields["email"] == user.email
    assert form_to(refused, "/login").fields["password"] == ""
    assert not await somebody.browser.is_in()


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/admin/inbox?status=snoozed", "/admin/inbox?status=snoozed"),
        ("https://evil.example", "/admin"),
        ("//evil.example", "/admin"),
        ("/admin@evil.example", "/admin"),
        ("/admin\\evil.example", "/admin"),
        ("/booking/slot", "/admin"),
    ],
)
async def test_signing_in_leads_to_own_pages_only(practice: Practice, wanted: str, place: str) -> None:
    """After signing in one is where one wanted to be, if that is one of these pages (H-4)."""
    user = await practice.user(Role.OWNER)
    somebody, status, address = await sign_in(practice, user.email, PASSWORD, next=wanted)
    assert (status, address) == (200, f"http://practice.test{place}")
    assert await somebody.browser.is_in()


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_too_many_attempts_say_when_to_come_back(practice: Practice, language: str) -> None:
    """Beyond the number of attempts the page says in how many minutes there are more, as does the answer (H-3)."""
    user, somebody = await practice.user(Role.OWNER), Visitor(practice.browser())
    form = form_to(await somebody.open("/admin/login", language, business=practice.slug), "/login")
    for _ in range(10):
        assert (await somebody.send(form, language, email=user.email, password="wrong one")).status == 401  # noqa: S106
    data = {**form.fields, "email": user.email, "password": PASSWORD}
    answer = await somebody.ask("POST", form.action, data=data, headers={"Accept-Language": language})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert {"en": "Try again in 15 minutes", "ru": "через 15 минут"}[language] in answer.text


async def test_a_server_with_several_practices_asks_which(practice: Practice) -> None:
    """Where nobody said which practice is meant, the page asks for it and takes it (H-4)."""
    user, somebody = await practice.user(Role.EDITOR), Visitor(practice.browser())
    asked = await somebody.send(
        form_to(await somebody.open("/admin/login"), "/login"), email=user.email, password=PASSWORD
    )
    assert asked.status == 400
    after = await somebody.send(form_to(asked, "/login"), business=practice.slug, password=PASSWORD)
    assert after.address == "http://practice.test/admin"


async def test_an_invitation_serves_once(practice: Practice) -> None:
    """Whoever is invited chooses a password that is long enough, typed twice alike, once; then they sign in (H-4)."""
    owner = await visitor(practice, Role.OWNER)
    new = form_to(await owner.open("/admin/users/new"), "/users/new")
    made = await owner.send(new, name="Guest", email="invited@practice.test", roles=["editor"])
    assert made.status == 200
    link = next(str(given["value"]) for _, given in made.tags if given.get("name") == "link")
    assert link.startswith("http://practice.test/admin/invitation?code=hi_")

    guest = Visitor(practice.browser())
    asked = form_to(await guest.open(link), "/invitation")
    for chosen, again, field in (("short", "short", "chosen"), (ANOTHER, "another one", "again")):
        refused = await guest.send(asked, chosen=chosen, again=again)
        assert (refused.status, wrong_fields(refused)) == (400, {field})
    done = await guest.send(asked, chosen=ANOTHER, again=ANOTHER)
    assert say("en", "Your password is chosen. Sign in with it.") in done.text
    inside = await guest.send(form_to(done, "/login"), email="invited@practice.test", password=ANOTHER)
    assert inside.address == "http://practice.test/admin"

    for page in (await guest.open(link), await guest.send(asked, chosen=ANOTHER, again=ANOTHER)):
        assert page.status == 410
        assert say("en", "This link was used, has run out, or is not whole.") in page.text
    for nothing in ("", "hi_", "x" * 3_000, link.partition("=")[2][:-1]):
        assert (await guest.open("/admin/invitation", code=nothing)).status == 410


async def test_a_form_of_somebody_else_chooses_nothing(practice: Practice) -> None:
    """A form that another site sends neither signs in nor chooses a password (H-4)."""
    somebody = Visitor(practice.browser(**{"Sec-Fetch-Site": "cross-site"}))
    for path in ("/admin/login", "/admin/invitation", "/admin/setup"):
        assert (await somebody.ask("POST", path, data={"code": "x"})).status_code == 403


async def test_another_language_loses_nothing(practice: Practice) -> None:
    """Whoever changes the language before they are in keeps their link and where they wanted to be, and the language (U-4)."""
    owner = await visitor(practice, Role.OWNER)
    new = form_to(await owner.open("/admin/users/new"), "/users/new")
    made = await owner.send(new, name="Guest", email="reader@practice.test", roles=["editor"])
    link = next(str(given["value"]) for _, given in made.tags if given.get("name") == "link")
    guest = Visitor(practice.browser())
    for address, end in ((link, "/invitation"), ("/admin/login?next=/admin/inbox", "/login")):
        page = await guest.open(address)
        [other] = [to for to in page.links if to.startswith("?") and to.endswith("lang=ru")]
        russian = await guest.open(page.address.partition("?")[0] + other)
        assert form_to(russian, end).fields == form_to(page, end).fields
        assert russian.one("html")["lang"] == "ru"
        assert (await guest.send(form_to(russian, end))).one("html")["lang"] == "ru"
        await guest.open("/admin/login?lang=en")
