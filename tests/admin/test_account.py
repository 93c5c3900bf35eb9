"""One's own account by its page."""

import pytest

from admin.visiting import form_to, visitor, visitor_of, wrong_fields
from holdfast.admin.account import browser_named
from holdfast.identity.permissions import Role
from identity.entrance import PASSWORD, Practice
from wording import say

ANOTHER = "another long password"


@pytest.mark.parametrize("role", Role)
async def test_everybody_has_an_account_page(practice: Practice, role: Role) -> None:
    """Whoever is signed in sees who they are, in which browsers, and the other language (U-3, U-4)."""
    page = await (await visitor(practice, role)).open("/admin/account")
    assert page.status == 200
    assert say("en", "this browser") in page.text
    assert "/admin/account?lang=ru" in page.links


async def test_the_own_password_is_changed(practice: Practice) -> None:
    """Another password takes the current one and two alike; then every other browser is signed out (H-4)."""
    user = await practice.user(Role.ASSISTANT)
    somebody, elsewhere = await visitor_of(practice, user), await visitor_of(practice, user)
    form = form_to(await somebody.open("/admin/account"), "/password")
    typed = {"current": PASSWORD, "chosen": ANOTHER, "again": ANOTHER}
    for wrong, field in (
        ({"current": "not this one"}, "current"),
        ({"chosen": "short", "again": "short"}, "chosen"),
        ({"again": "not the same"}, "again"),
    ):
        refused = await somebody.send(form, **typed | wrong)
        assert (refused.status, wrong_fields(refused)) == (400, {field})
    after = await somebody.send(form, **typed)
    assert say("en", "Your password is changed. You are signed out everywhere but here.") in after.text
    assert [await each.browser.is_in() for each in (somebody, elsewhere)] == [True, False]
    await visitor_of(practice, user, ANOTHER)


async def test_one_browser_is_signed_out(practice: Practice) -> None:
    """A login is ended from another browser of the same user, and from nobody else's (H-4)."""
    user = await practice.user(Role.EDITOR)
    lost, here, stranger = (
        await visitor_of(practice, user),
        await visitor_of(practice, user),
        await visitor(practice, Role.OWNER),
    )
    form = form_to(await here.open("/admin/account"), "/end")
    theirs = form_to(await stranger.open("/admin/account"), "/logout")
    form.fields, own = {**theirs.fields}, {**form.fields}
    assert (await stranger.send(form)).status == 404
    form.fields = own
    assert (await here.send(form)).status == 200
    assert [await each.browser.is_in() for each in (lost, here)] == [False, True]


def test_a_browser_is_named_as_people_do() -> None:
    """What a browser calls itself is told in two words, or not at all."""
    edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"
    assert [browser_named(each) for each in (edge, phone, "curl/8", None)] == [
        "Edge · Windows",
        "Safari · iPhone",
        None,
        None,
    ]
