"""Users by pages: invited, changed, let out and in."""

from admin.visiting import Visitor, form_to, visitor, visitor_of, wrong_fields
from holdfast.catalog.resources import put_resource
from holdfast.identity import users
from holdfast.identity.permissions import Role
from holdfast.identity.users import User
from identity.entrance import Practice
from journeys.browser import Form, Page
from wording import say


async def opened(owner: Visitor, user: User) -> Page:
    """Return the page of a user."""
    page = await owner.open(f"/admin/users/{user.id}")
    assert page.status == 200
    return page


def rights(form: Form, *roles: str, **more: object) -> dict[str, object]:
    """Return a form as it is sent with these roles ticked."""
    kept = {name: value for name, value in form.fields.items() if name not in {"roles", "resources"}}
    form.fields.clear()
    return {**kept, "roles": list(roles), **more}


async def test_a_user_is_changed(practice: Practice) -> None:
    """Name, roles and resources of a user are what the form says, from the next call on (H-4, U-3)."""
    owner, user = await visitor(practice, Role.OWNER), await practice.user(Role.EDITOR)
    resource = await practice.database.run(
        practice.business_id, lambda tx: put_resource(tx, slug="room", name="Garden room", kind="room")
    )
    form = form_to(await opened(owner, user), str(user.id))
    after = await owner.send(form, **rights(form, "assistant", "editor", name="Somebody", resources=[str(resource)]))
    assert say("en", "The user was changed. Roles count from their next click on.") in after.text
    now = await practice.database.run(practice.business_id, lambda tx: users.find(tx, user.id))
    assert (now.name, set(now.roles), now.resource_ids) == ("Somebody", {Role.ASSISTANT, Role.EDITOR}, (resource,))
    listed = await owner.open("/admin/users")
    assert "Somebody" in listed.text
    assert "Garden room" in listed.text


async def test_what_is_wrong_is_told_at_its_field(practice: Practice) -> None:
    """A form that was not taken marks each wrong field and keeps what was typed (U-3)."""
    owner = await visitor(practice, Role.OWNER)
    form = form_to(await owner.open("/admin/users/new"), "/users/new")
    refused = await owner.send(form, name="Guest", email="nobody", roles=["editor"])
    assert (refused.status, wrong_fields(refused)) == (400, {"email"})
    assert form_to(refused, "/users/new").fields["name"] == "Guest"
    del form.fields["roles"]
    none = await owner.send(form, name="Guest", email="a@practice.test")
    assert none.status == 400
    assert say("en", "Choose at least one role.") in none.text
    known = await practice.user(Role.EDITOR)
    taken = await owner.send(form, name="Guest", email=known.email, roles=["editor"])
    assert (taken.status, wrong_fields(taken)) == (409, {"email"})


async def test_nobody_overwrites_what_they_did_not_see(practice: Practice) -> None:
    """A form that was opened before a colleague's change is refused in words; the colleague's change stays (B-15)."""
    owner, user = await visitor(practice, Role.OWNER), await practice.user(Role.EDITOR)
    form = form_to(await opened(owner, user), str(user.id))
    colleague = form_to(await opened(owner, user), str(user.id))
    assert (await owner.send(colleague, **rights(colleague, "assistant", name="First"))).status == 200
    late = await owner.send(form, **rights(form, "owner", name="Second"))
    assert late.status == 409
    assert "This was changed by somebody else meanwhile" in late.text
    again = form_to(late, str(user.id))
    assert again.fields["name"] == "Second"
    now = await practice.database.run(practice.business_id, lambda tx: users.find(tx, user.id))
    assert (now.name, now.roles) == ("First", (Role.ASSISTANT,))
    saved = await owner.send(again, **rights(again, "editor", name="Second"))
    assert saved.status == 200


async def test_the_last_owner_stays(practice: Practice) -> None:
    """The only owner neither leaves nor takes the role from themselves, and is told why (H-4)."""
    user = await practice.user(Role.OWNER)
    owner = await visitor_of(practice, user)
    page = await opened(owner, user)
    form = form_to(page, str(user.id))
    for refused in (
        await owner.send(form, **rights(form, "editor")),
        await owner.send(form_to(page, "/active")),
    ):
        assert refused.status == 409
        assert "A business keeps at least one active owner" in refused.text


async def test_whoever_gives_up_being_owner_is_led_home(practice: Practice) -> None:
    """An owner who makes themselves an editor is led to where they still may be (U-3)."""
    user = await practice.user(Role.OWNER)
    await practice.user(Role.OWNER)
    owner = await visitor_of(practice, user)
    form = form_to(await opened(owner, user), str(user.id))
    after = await owner.send(form, **rights(form, "editor"))
    assert (after.status, after.address) == (200, "http://practice.test/admin")


async def test_a_user_is_let_out_and_in(practice: Practice) -> None:
    """Deactivated, a user is signed out at once and gets no link; let in again they sign in as before (H-4)."""
    owner, user = await visitor(practice, Role.OWNER), await practice.user(Role.ASSISTANT)
    theirs = await visitor_of(practice, user)
    page = await opened(owner, user)
    link = form_to(page, "/invitation")
    out = await owner.send(form_to(page, "/active"))
    assert say("en", "This user cannot sign in. What they did stays theirs.") in out.text
    assert not await theirs.browser.is_in()
    assert (await owner.send(link)).status == 400
    back = await owner.send(form_to(out, "/active"))
    assert say("en", "The user can sign in again.") in back.text
    await visitor_of(practice, user)


async def test_a_forgotten_password_is_chosen_anew(practice: Practice) -> None:
    """An owner makes another link for a user, by which the old password is replaced (H-4)."""
    owner, user = await visitor(practice, Role.OWNER), await practice.user(Role.ASSISTANT)
    shown = await owner.send(form_to(await opened(owner, user), "/invitation"))
    link = next(str(given["value"]) for _, given in shown.tags if given.get("name") == "link")
    guest = Visitor(practice.browser())
    chosen = "quite another password"
    await guest.send(form_to(await guest.open(link), "/invitation"), chosen=chosen, again=chosen)
    await visitor_of(practice, user, chosen)


async def test_users_come_in_pages(practice: Practice) -> None:
    """Beyond what one page shows the list leads on (H-2)."""
    owner = await visitor(practice, Role.OWNER)
    for _ in range(50):
        await practice.user(Role.CLIENT, password=None)
    first = await owner.open("/admin/users")
    [more] = [link for link in first.links if "cursor=" in link]
    rest = await owner.open(more)
    assert len([link for link in first.links if link.startswith("/admin/users/") and "new" not in link]) == 50
    assert len([link for link in rest.links if link.startswith("/admin/users/") and "new" not in link]) == 1
