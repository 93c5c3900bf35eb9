"""Users: made, invited, changed and deactivated by owners; audited without a word about the person."""

import asyncio
from types import SimpleNamespace
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from holdfast.identity.businesses import put
from holdfast.identity.permissions import Role
from identity.entrance import PASSWORD, Browser, Json, Practice, open_entrance, refused

ANOTHER = "another long password"


@pytest_asyncio.fixture
async def owner(practice: Practice) -> Browser:
    """A browser of an owner."""
    return await practice.signed_in(await practice.user(Role.OWNER))


async def made(owner: Browser, **wish: object) -> Json:
    """Return the answer to the making of a user."""
    body = {"email": f"{uuid4().hex}@practice.test", "name": "Colleague", "roles": ["editor"]} | wish
    answer = await owner.call("POST", "/api/admin/users", body)
    assert answer.status_code == 201, answer.text
    told: Json = answer.json()
    return told


async def accepted(practice: Practice, invitation: str, password: str = ANOTHER) -> int:
    """Return how the use of an invitation is answered."""
    body = {"invitation": invitation, "newPassword": password}
    answer = await practice.browser().http.post("/api/public/login/password", json=body)
    if answer.status_code == 410:
        refused(answer, 410, "invitation_invalid")
    return answer.status_code


async def test_an_owner_makes_a_user(practice: Practice, owner: Browser) -> None:
    """A user that an owner makes with a password signs in, is read and listed; the password is told to nobody (H-4)."""
    told = await made(owner, email="New.Colleague@practice.test", roles=["assistant", "editor"], password=PASSWORD)
    assert told["invitation"] is None
    assert PASSWORD not in str(told)
    user = told["user"]
    assert (user["email"], user["roles"]) == ("New.Colleague@practice.test", ["assistant", "editor"])
    assert (user["active"], user["hasPassword"]) == (True, True)
    assert (await owner.http.get(f"/api/admin/users/{user['id']}")).json() == user
    assert (await practice.browser().sign_in("new.colleague@practice.test")).status_code == 200


async def test_an_address_is_one_users(owner: Browser) -> None:
    """A second user of the business with the address, however it is cased, is refused by the name of the field (D-4)."""
    wish = {"email": "same@practice.test", "name": "A", "roles": ["editor"]}
    told = await asyncio.gather(*(owner.call("POST", "/api/admin/users", wish) for _ in range(4)))
    assert sorted(answer.status_code for answer in told) == [201, 409, 409, 409]
    answer = await owner.call("POST", "/api/admin/users", wish | {"email": "Same@Practice.test"})
    assert refused(answer, 409, "email_taken")["details"] == {"field": "email"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"name": ""}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["king"]}, "roles[0]"),
        ({"password": "short"}, "password"),
        ({"password": "a" * 20}, "password"),
        ({"resourceIds": [str(uuid4())]}, "resourceIds"),
        ({"resourceIds": ["x"]}, "resourceIds[0]"),
    ],
)
async def test_a_wrong_wish_makes_nobody(owner: Browser, wrong: Json, field: str) -> None:
    """What cannot be is refused by the name of the member, and nobody was made (H-1)."""
    body = {"email": "new@practice.test", "name": "New", "roles": ["editor"]} | wrong
    answer = await owner.call("POST", "/api/admin/users", body)
    assert [e["field"] for e in refused(answer, 400, "validation_failed")["details"]["errors"]] == [field]
    assert len((await owner.http.get("/api/admin/users")).json()["users"]) == 1


async def test_users_are_listed_page_by_page(owner: Browser) -> None:
    """The pages of a list are all users of the business, once each, oldest first (H-2)."""
    ids = [(await made(owner))["user"]["id"] for _ in range(4)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await owner.http.get("/api/admin/users", params={"limit": 2, "cursor": cursor})).json()
        seen += [user["id"] for user in page["users"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
        assert len(page["users"]) == 2
    assert seen[1:] == ids
    assert len(seen) == 5
    refused(await owner.http.get("/api/admin/users", params={"cursor": "x"}), 400, "validation_failed")


async def test_an_invitation_serves_once(practice: Practice, owner: Browser) -> None:
    """Without a password a user gets an invitation; of all who use it at one moment, one chooses the password (H-4)."""
    told = await made(owner)
    invitation = told["invitation"]["invitation"]
    assert not told["user"]["hasPassword"]
    assert await accepted(practice, invitation, "short") == 400
    codes = await asyncio.gather(*(accepted(practice, invitation, f"{ANOTHER} {n}") for n in range(4)))
    assert sorted(codes) == [204, 410, 410, 410]
    answer = await practice.browser().sign_in(told["user"]["email"], f"{ANOTHER} {codes.index(204)}")
    assert answer.status_code == 200


async def test_an_invitation_replaces_a_password(practice: Practice, owner: Browser) -> None:
    """An owner may invite a user anew; once a password was chosen, the old one and its logins open nothing (H-4)."""
    user = await practice.user(Role.EDITOR)
    browser = await practice.signed_in(user)
    path = f"/api/admin/users/{user.id}/invitation"
    first, second = [(await owner.call("POST", path)).json()["invitation"] for _ in range(2)]
    assert await browser.is_in(), "an invitation alone changes nothing"
    assert await accepted(practice, second) == 204
    assert await accepted(practice, first) == 410
    assert not await browser.is_in()
    refused(await browser.sign_in(user.email, PASSWORD), 401, "wrong_credentials")
    await practice.signed_in(user, ANOTHER)


async def test_what_is_no_invitation_opens_nothing(practice: Practice, owner: Browser) -> None:
    """An invitation that is altered, of another user or business, run out or of somebody deactivated is none (H-4)."""
    told = await made(owner)
    invitation, other = told["invitation"]["invitation"], (await made(owner))["invitation"]["invitation"]
    assert invitation.startswith(f"hi_{practice.business_id.hex}_{UUID(told['user']['id']).hex}_")
    ends = invitation.split("_")[3]
    wrong = [
        "x",
        invitation + "A",
        invitation[:-1] + ("A" if invitation[-1] != "A" else "B"),
        invitation[:-43] + other[-43:],
        invitation.replace(f"_{ends}_", f"_{int(ends) + 1}_"),
        invitation.replace(f"_{ends}_", "_999999999999_"),
        invitation.replace(practice.business_id.hex, uuid4().hex),
        practice.app.state.entrance.invitations.invite(practice.business_id, uuid4(), None)[0],
    ]
    assert [await accepted(practice, text) for text in wrong] == [410] * len(wrong)
    await owner.call("PATCH", f"/api/admin/users/{told['user']['id']}", {"active": False})
    assert await accepted(practice, invitation) == 410
    assert await accepted(practice, other) == 204


@pytest.mark.parametrize("password", [None, PASSWORD])
async def test_an_invitation_does_not_outlive_a_deactivation(
    practice: Practice, owner: Browser, password: str | None
) -> None:
    """Whoever was deactivated and let in again uses no invitation from before, had they a password or not; a new one
    serves (H-4).
    """
    user = await practice.user(Role.EDITOR, password=password)
    path = f"/api/admin/users/{user.id}"
    before = (await owner.call("POST", f"{path}/invitation")).json()["invitation"]
    for active in (False, True):
        assert (await owner.call("PATCH", path, {"active": active})).json()["active"] is active
    assert await accepted(practice, before) == 410
    anew = (await owner.call("POST", f"{path}/invitation")).json()["invitation"]
    assert await accepted(practice, anew) == 204
    assert await accepted(practice, anew) == 410


async def test_an_invitation_runs_out(practice: Practice, owner: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invitation holds for 72 hours and not a second longer (H-4)."""
    invitation = (await made(owner))["invitation"]["invitation"]
    ends = int(invitation.split("_")[3])
    monkeypatch.setattr("holdfast.identity.invitations.time", SimpleNamespace(time=lambda: float(ends)))
    assert await accepted(practice, invitation) == 410
    monkeypatch.setattr("holdfast.identity.invitations.time", SimpleNamespace(time=lambda: ends - 0.5))
    assert await accepted(practice, invitation) == 204


async def test_roles_count_from_the_next_call_on(practice: Practice, owner: Browser) -> None:
    """A role that is taken away or given counts for the logins that there are, from their next call on (D-7)."""
    user = await practice.user(Role.EDITOR)
    browser = await practice.signed_in(user)
    path = "/api/booking/appointments"
    for roles, status in ((["editor"], 403), (["editor", "assistant"], 200), (["client"], 403)):
        answer = await owner.call("PATCH", f"/api/admin/users/{user.id}", {"roles": roles})
        assert answer.json()["roles"] == sorted(roles, key=["owner", "assistant", "editor", "client"].index)
        assert (await browser.http.get(path)).status_code == status
    assert (await browser.http.get("/api/admin/login")).json()["permissions"] == []


async def test_a_deactivated_user_is_out_at_once(practice: Practice, owner: Browser) -> None:
    """Deactivated, a user is signed out everywhere and signs in no more; reactivated, they sign in anew (H-4)."""
    user = await practice.user(Role.ASSISTANT)
    browser = await practice.signed_in(user)
    path = f"/api/admin/users/{user.id}"
    for _ in range(2):
        assert (await owner.call("PATCH", path, {"active": False})).json()["active"] is False
    assert not await browser.is_in()
    refused(await browser.sign_in(user.email), 401, "wrong_credentials")
    refused(await owner.call("POST", f"{path}/invitation"), 400, "validation_failed")
    assert (await owner.call("PATCH", path, {"active": True})).json()["active"] is True
    assert not await browser.is_in()
    await practice.signed_in(user)


async def test_a_business_keeps_an_owner(practice: Practice, owner: Browser) -> None:
    """The last active owner stays one, also when two of them take each other's role at one moment (D-7)."""
    [last] = (await owner.http.get("/api/admin/users")).json()["users"]
    for change in ({"roles": ["assistant"]}, {"active": False}):
        answer = await owner.call("PATCH", f"/api/admin/users/{last['id']}", {"name": "Renamed", **change})
        refused(answer, 409, "last_owner")
    assert (await owner.http.get(f"/api/admin/users/{last['id']}")).json() == last
    second = await practice.user(Role.OWNER)
    other = await practice.signed_in(second)
    told = await asyncio.gather(
        owner.call("PATCH", f"/api/admin/users/{second.id}", {"active": False}),
        other.call("PATCH", f"/api/admin/users/{last['id']}", {"roles": ["editor"]}),
    )
    assert 200 in {answer.status_code for answer in told}
    async with practice.database.transaction(practice.business_id) as tx:
        owners = await tx.rows(
            "select u.id from users u join user_roles r on r.user_id = u.id where r.role = 'owner'"
            " and u.deactivated_at is null and u.business_id = %s",
            [practice.business_id],
        )
    assert len(owners) == 1


async def test_a_user_is_a_resource(practice: Practice, owner: Browser, admin_uri: str) -> None:
    """A practitioner's user is bound to resources of the business, which their login knows; others are refused (D-7)."""
    ours, theirs = uuid4(), uuid4()
    async with practice.database.transaction() as tx:
        other = await put(tx, slug=f"b-{uuid4().hex[:8]}", name="Other", timezone="UTC", currency="EUR")
    with psycopg.connect(admin_uri) as admin:
        for business_id, resource_id in ((practice.business_id, ours), (other.id, theirs)):
            admin.execute(
                "insert into resources (business_id, id, slug, name, kind, capacity)"
                " values (%s, %s, 'ana', 'Ana', 'practitioner', 1)",
                [business_id, resource_id],
            )
    told = await made(owner, password=PASSWORD, resourceIds=[str(ours)])
    browser = practice.browser()
    assert (await browser.sign_in(told["user"]["email"])).json()["resourceIds"] == [str(ours)]
    path = f"/api/admin/users/{told['user']['id']}"
    refused(await owner.call("PATCH", path, {"resourceIds": [str(theirs)]}), 400, "validation_failed")
    assert (await owner.call("PATCH", path, {"resourceIds": []})).json()["resourceIds"] == []


async def test_users_of_another_business_are_not_there(practice: Practice, owner: Browser, app_uri: str) -> None:
    """Neither read nor changed nor invited nor signed in: a user of another business is as unknown as any (H-4, D-9)."""
    async with open_entrance(app_uri, practice.database) as other:
        user = await other.user(Role.OWNER)
    for wanted in (str(user.id), str(uuid4()), "nothing"):
        path = f"/api/admin/users/{wanted}"
        heard = [
            refused(await owner.http.get(path), 404, "unknown_user"),
            refused(await owner.call("PATCH", path, {"active": False, "name": "x"}), 404, "unknown_user"),
            refused(await owner.call("POST", f"{path}/invitation"), 404, "unknown_user"),
        ]
        assert len({str(body) for body in heard}) == 1
    refused(await practice.browser().sign_in(user.email), 401, "wrong_credentials")


async def test_every_change_of_a_user_is_audited(practice: Practice, owner: Browser, admin_uri: str) -> None:
    """Each change by staff writes who did it and between which states, and nothing of the person (D-7)."""
    [me] = (await owner.http.get("/api/admin/users")).json()["users"]
    user_id = (await made(owner, password=PASSWORD))["user"]["id"]
    path = f"/api/admin/users/{user_id}"
    for change in (
        {"name": "Renamed"},
        {"roles": ["assistant"]},
        {"active": False},
        {"active": True},
        {"name": "Renamed"},
    ):
        assert (await owner.call("PATCH", path, change)).status_code == 200
    await owner.call("POST", f"{path}/invitation")
    with psycopg.connect(admin_uri) as admin:
        history = admin.execute(
            "select action, from_state, to_state, actor, actor_id::text from audit_log where aggregate_id = %s"
            " order by version",
            [user_id],
        ).fetchall()
    assert [entry[:3] for entry in history] == [
        ("create_user", None, "editor"),
        ("rename_user", None, None),
        ("change_roles", "editor", "assistant"),
        ("deactivate_user", "active", "deactivated"),
        ("reactivate_user", "deactivated", "active"),
        ("invite_user", None, None),
    ]
    assert {entry[3:] for entry in history} == {("staff", me["id"])}
