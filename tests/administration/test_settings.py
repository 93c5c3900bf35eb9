"""Settings and flags: declared, bounded, changed by those who may, each change told."""

from uuid import uuid4

import psycopg
import pytest

from booking.served import Clients, problem, wrong_fields
from booking.staffed import StaffClients, app_on, bearer, make_key
from holdfast import config
from holdfast.administration import settings
from holdfast.administration.errors import UnknownSetting
from holdfast.administration.settings import GCAL_INTEGRATION, REMINDER_HOURS, SETTINGS, Stage, flag_is_on, is_on, read
from holdfast.identity import businesses
from holdfast.identity.permissions import Permission, Role
from holdfast.kernel.database import Database

PATH = "/api/admin/settings"


@pytest.fixture
def owner(clients: Clients) -> StaffClients:
    """An owner of the demo business."""
    return StaffClients(clients, Role.OWNER)


def test_every_setting_has_its_default_and_says_what_it_may_be(owner: StaffClients) -> None:
    """The list has each declared setting with its kind, its choice and what it is by default."""
    shown = {each["key"]: each for each in owner.call("GET", PATH).json()["settings"]}
    assert set(shown) == set(SETTINGS)
    assert shown["gcal_integration_enabled"] == {
        "key": "gcal_integration_enabled",
        "type": "flag",
        "meaning": GCAL_INTEGRATION.meaning,
        "value": "off",
        "default": "off",
        "choice": ["off", "internal", "stage", "prod"],
        "changedAt": None,
        "enabled": False,
    }
    assert (shown["reminder_hours"]["choice"], shown["reminder_hours"]["enabled"]) == ([1, 168], None)


def test_a_setting_is_changed_and_set_back(owner: StaffClients) -> None:
    """A change is there for everybody at once; null sets the default back; both are told in the audit log, once each (D-7)."""
    path = f"{PATH}/reminder_hours"
    for value, now in ((48, 48), (48, 48), (None, 24), (None, 24)):
        answer = owner.call("PUT", path, {"value": value})
        assert (answer.status_code, answer.json()["value"]) == (200, now)
        listed = owner.call("GET", PATH).json()["settings"]
        assert next(each["value"] for each in listed if each["key"] == "reminder_hours") == now
    told = owner.clients.sql(
        "select from_state, to_state, actor from audit_log where action = 'change_setting' and actor_id = %s order by version",
        owner.key[3:35],
    )
    assert told == [("24", "48", "staff"), ("48", "24", "staff")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reminder_hours", 0),
        ("reminder_hours", 169),
        ("reminder_hours", "24"),
        ("reminder_hours", 1.5),
        ("reminder_hours", True),
        ("gcal_integration_enabled", "on"),
        ("gcal_integration_enabled", True),
        ("calendar_outage", "guest@example.org"),
        ("calendar_outage", "x" * 101),
        ("calendar_outage", ["hide"]),
    ],
)
def test_a_value_that_it_cannot_have_is_refused(owner: StaffClients, key: str, value: object) -> None:
    """A value of another kind or out of bounds is refused by its name, and nothing changes."""
    assert wrong_fields(owner.call("PUT", f"{PATH}/{key}", {"value": value})) == {"value"}
    assert (
        owner.call("GET", PATH).json()["settings"]
        == StaffClients(owner.clients, Role.OWNER).call("GET", PATH).json()["settings"]
    )
    assert owner.clients.sql(
        "select count(*) from system_settings where key = %s and value = %s", key, psycopg.types.json.Jsonb(value)
    ) == [(0,)]


def test_an_unknown_setting_is_not_made(owner: StaffClients) -> None:
    """What is not declared cannot be set."""
    for key in ("unheard_of", "guest@example.org", "x" * 200):
        problem(owner.call("PUT", f"{PATH}/{key}", {"value": "off"}), 404, "unknown_setting")


def test_an_assistant_reads_and_does_not_change(owner: StaffClients) -> None:
    """Each setting says who may change it; whoever else reads it is refused (D-7)."""
    assistant = StaffClients(owner.clients, Role.ASSISTANT)
    assert assistant.call("GET", PATH).status_code == 200
    problem(assistant.call("PUT", f"{PATH}/reminder_hours", {"value": 48}), 403, "forbidden")
    assert {setting.permission for setting in SETTINGS.values()} == {Permission.CHANGE_SETTINGS}


@pytest.mark.parametrize(
    ("value", "on"),
    [
        ("off", set()),
        ("internal", {"internal"}),
        ("stage", {"internal", "stage"}),
        ("prod", {"internal", "stage", "prod"}),
    ],
)
def test_a_flag_is_on_at_servers_up_to_its_stage(value: str, on: set[str]) -> None:
    """What is on for everybody is on for us, what is on for us is not on for everybody (C-7)."""
    assert {str(stage) for stage in Stage if is_on(value, stage)} == on


async def test_a_flag_asks_what_kind_of_server_it_is(app_uri: str, admin_uri: str, database: Database) -> None:
    """The API says of a flag whether it is on at this server, by HOLDFAST_STAGE; businesses do not share theirs (C-7, D-9)."""
    async with database.transaction() as tx:
        mine, other = [
            (await businesses.put(tx, slug=f"s-{uuid4().hex[:12]}", name="Test", timezone="UTC", currency="EUR")).id
            for _ in range(2)
        ]
    key = await make_key(database, mine, Role.OWNER)
    async with app_on(app_uri, admin_uri) as http:
        answer = await http.put(f"{PATH}/gcal_integration_enabled", headers=bearer(key), json={"value": "stage"})
        assert (answer.json()["value"], answer.json()["enabled"]) == ("stage", False)
        assert (await http.get(PATH, headers=bearer(key))).json()["stage"] == "prod"
    for business, expected in ((mine, [True, True, False]), (other, [False] * 3)):
        async with database.transaction(business) as tx:
            assert [await flag_is_on(tx, GCAL_INTEGRATION, stage) for stage in Stage] == expected


async def test_what_an_earlier_release_allowed_is_the_default(database: Database) -> None:
    """A stored value that is not allowed any more counts as the default, instead of failing whoever reads it."""
    async with database.transaction() as tx:
        slug = f"s-{uuid4().hex[:12]}"
        tenant = (await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")).id
    async with database.transaction(tenant) as tx:
        await tx.run("insert into system_settings values (%s, 'reminder_hours', '500')", [tenant])
        assert await read(tx, REMINDER_HOURS) == 24
        with pytest.raises(UnknownSetting):
            await settings.change(tx, "unheard_of", 1, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["{}", '["a"]', "null", '"' + "x" * 100 + '"'])
async def test_the_database_keeps_no_texts_as_settings(admin_uri: str, value: str) -> None:
    """A setting is a scalar, too short to be a text, whoever writes it."""
    with psycopg.connect(admin_uri) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("insert into system_settings values (uuidv7(), 'thing', %s::jsonb)", [value])


def test_the_stage_is_one_of_three() -> None:
    """HOLDFAST_STAGE is prod when it is not set, and a server does not start with a word that is none (K-3)."""
    assert config.read({}).stage == "prod"
    assert config.read({"HOLDFAST_STAGE": "internal"}).stage == "internal"
    with pytest.raises(config.ConfigurationError, match="HOLDFAST_STAGE"):
        config.read({"HOLDFAST_STAGE": "testing"})
    assert {str(stage) for stage in Stage} == {"internal", "stage", "prod"}
