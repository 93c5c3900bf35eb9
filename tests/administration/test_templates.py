"""Templates of messages: written in versions, checked when they are written, filled without being run."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from booking.served import Json, problem, wrong_fields
from booking.staffed import bearer, make_key
from holdfast.administration.placeholders import Slip, escaped, filled, slips
from holdfast.administration.templates import MESSAGES, Channel, Locale, Text, rendered
from holdfast.identity import businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database

PATH = "/api/admin/templates"
MAIL = f"{PATH}/appointment_confirmed/ru/email"
HELLO = {"subject": "{{ service_name }}", "body": "Hello {{guest_name}},\nsee you on {{ start }}."}


@dataclass
class Desk:
    """Staff of one business."""

    http: httpx.AsyncClient
    business_id: UUID
    key: str

    async def call(self, method: str, path: str, body: Json | None = None, **asked: object) -> httpx.Response:
        """Answer a call."""
        return await self.http.request(method, path, json=body, params=asked, headers=bearer(self.key))  # type: ignore[arg-type]

    async def write(self, path: str = MAIL, **body: object) -> httpx.Response:
        """Answer the writing of a template."""
        return await self.call("PUT", path, body)


async def open_desk(http: httpx.AsyncClient, database: Database) -> Desk:
    """Return an assistant of a new business."""
    async with database.transaction() as tx:
        slug = f"m-{uuid4().hex[:12]}"
        business = await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR")
    return Desk(http, business.id, await make_key(database, business.id, Role.ASSISTANT))


@pytest_asyncio.fixture
async def desk(http: httpx.AsyncClient, database: Database) -> Desk:
    """An assistant of a business of its own."""
    return await open_desk(http, database)


async def test_a_template_is_written_in_versions(desk: Desk) -> None:
    """Each text is a new version that is in use at once; earlier ones stay as they were, and the same is no new one."""
    texts = ["one {{ start }}", "two {{ start }}", "two {{ start }}"]
    versions = [(await desk.write(subject="s", body=body)).json()["version"] for body in texts]
    assert versions == [1, 2, 2]
    [listed] = (await desk.call("GET", PATH)).json()["templates"]
    assert (listed["version"], listed["body"]) == (2, "two {{ start }}")
    assert (await desk.call("GET", MAIL)).json() == listed
    assert (await desk.call("GET", MAIL, version="1")).json()["body"] == "one {{ start }}"
    problem(await desk.call("GET", MAIL, version="3"), 404, "unknown_template")


async def test_who_invites_nobody_writes_no_invitation(desk: Desk, database: Database) -> None:
    """A key of an assistant writes no text of an invitation, whose link makes whoever has it the user; one of an owner
    does (D-7, W-2).
    """
    path = f"{PATH}/user_invitation/ru/email_html"
    text = {"subject": "s", "body": '<img src="https://example.org/?{{ invitation_link }}">'}
    problem(await desk.write(path, **text), 403, "forbidden")
    assert (await desk.call("GET", PATH)).json()["templates"] == []
    owner = Desk(desk.http, desk.business_id, await make_key(database, desk.business_id, Role.OWNER))
    assert (await owner.write(path, **text)).json()["version"] == 1


async def test_the_messages_say_what_may_stand_in_them(desk: Desk) -> None:
    """The list names each kind of message with its placeholders (W-2)."""
    listed = (await desk.call("GET", PATH)).json()
    assert listed["templates"] == []
    assert {each["kind"]: set(each["placeholders"]) for each in listed["messages"]} == {
        kind: set(placeholders) for kind, placeholders in MESSAGES.items()
    }


async def test_a_slip_is_found_when_it_is_written(desk: Desk) -> None:
    """Every unknown placeholder and stray brace is named with its place, and nothing is written."""
    answer = await desk.write(subject="{{ guest_nam }}", body="Hello\n  {{ guest_name }} {{ guest.name }}\n}} {{")
    errors = problem(answer, 400, "validation_failed")["details"]["errors"]
    places = [(error["field"], error["message"].partition(":")[0]) for error in errors]
    assert places == [
        ("subject", "line 1, column 1"),
        ("body", "line 2, column 20"),
        ("body", "line 3, column 1"),
        ("body", "line 3, column 4"),
    ]
    assert "guest_name" in errors[0]["message"]
    assert (await desk.call("GET", PATH)).json()["templates"] == []


@pytest.mark.parametrize(
    ("channel", "body", "field"),
    [
        ("sms", {"subject": "s", "body": "b"}, "subject"),
        ("email", {"body": "b"}, "subject"),
        ("email", {"subject": "a\nb", "body": "b"}, "subject"),
        ("sms", {"body": ""}, "body"),
        ("sms", {"body": "\x00"}, "body"),
        ("sms", {"body": "x" * 20_001}, "body"),
        ("sms", {}, "body"),
    ],
)
async def test_a_text_fits_its_channel(desk: Desk, channel: str, body: Json, field: str) -> None:
    """A subject is given where one is shown and nowhere else; a text has a length and no control characters."""
    answer = await desk.write(f"{PATH}/appointment_reminder/en/{channel}", **body)
    problem(answer, 400, "validation_failed")
    assert field in answer.text


async def test_no_message_is_invented(desk: Desk) -> None:
    """A kind, a language or a channel that there is not is 404."""
    for name in ("unheard_of/en/sms", "appointment_reminder/xx/sms", "appointment_reminder/en/pigeon"):
        problem(await desk.write(f"{PATH}/{name}", body="b"), 404, "unknown_message")
        problem(await desk.call("GET", f"{PATH}/{name}"), 404, "unknown_message")


async def test_nobody_overwrites_what_they_have_not_seen(desk: Desk) -> None:
    """Who names the version that they saw is refused when there is a newer one, and told which (B-15)."""
    assert (await desk.write(**HELLO, expectedVersion=0)).json()["version"] == 1
    stale = problem(await desk.write(subject="s", body="b", expectedVersion=0), 409, "template_changed")
    assert stale["details"] == {"currentVersion": 1}
    answers = await asyncio.gather(*(desk.write(subject="s", body=f"b{n}", expectedVersion=1) for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_each_version_is_told(desk: Desk, database: Database, admin_uri: str) -> None:
    """The audit log tells of each version by whom it was written, and not what it says (D-7)."""
    await desk.write(**HELLO)
    await desk.write(subject="s", body="b")
    with psycopg.connect(admin_uri) as connection:
        told = connection.execute(
            "select action, from_state, to_state from audit_log where actor_id = %s order by version", [desk.key[3:35]]
        ).fetchall()
    assert told == [("write_template", "0", "1"), ("write_template", "1", "2")]


async def test_a_preview_shows_what_a_client_would_see(desk: Desk) -> None:
    """A preview fills in examples, escapes them in HTML, refuses slips with their place, and writes nothing."""
    asked = {"kind": "appointment_confirmed", "channel": "email_html", **HELLO}
    shown = (await desk.call("POST", f"{PATH}/preview", asked)).json()
    assert shown == {
        "subject": "Individual session",
        "body": "Hello Guest,\nsee you on Saturday, 21 November 2026, 15:00.",
    }
    assert wrong_fields(await desk.call("POST", f"{PATH}/preview", asked | {"body": "{{ x }}"})) == {"body"}
    problem(await desk.call("POST", f"{PATH}/preview", asked | {"kind": "x"}), 404, "unknown_message")
    assert (await desk.call("GET", PATH)).json()["templates"] == []


async def test_the_templates_of_others_are_not_there(desk: Desk, database: Database) -> None:
    """Another tenant's templates are neither listed nor found, and its versions do not count for this one (H-4, D-9)."""
    other = await open_desk(desk.http, database)
    await other.write(**HELLO)
    assert (await desk.call("GET", PATH)).json()["templates"] == []
    problem(await desk.call("GET", MAIL), 404, "unknown_template")
    assert (await desk.write(subject="s", body="b", expectedVersion=0)).json()["version"] == 1


def test_values_are_shown_and_never_run() -> None:
    """What a client has typed is neither filled in again nor markup, nor another header of the message."""
    values = {"guest_name": "{{ start }} <b>\r\nBcc: someone", "start": "noon"}
    text = Text("Hello {{ guest_name }}", "Hello {{ guest_name }}")
    assert rendered(Channel.EMAIL_HTML, text, values) == Text(
        "Hello {{ start }} <b> Bcc: someone", "Hello {{ start }} &lt;b&gt;<br>\nBcc: someone"
    )
    assert rendered(Channel.SMS, Text(None, text.body), values).body == f"Hello {values['guest_name']}"


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=50))
def test_a_sound_text_keeps_all_but_its_placeholders(before: str, after: str, value: str) -> None:
    """Whatever surrounds a placeholder stays to the letter, and its value stands in its place as it is."""
    text = f"{before}{{{{ name }}}}{after}"
    if not slips(text, {"name"}):
        assert filled(text, {"name": value}) == filled(before, {}) + value + filled(after, {})
        assert filled(text, {"name": value}, escape=escaped) == f"{before}{escaped(value)}{after}"


@given(st.text(alphabet="{} na\n", max_size=30))
def test_a_text_without_slips_can_be_filled(text: str) -> None:
    """What passes the check when it is written does not fail when it is sent."""
    if not slips(text, {"n", "a"}):
        filled(text, {"n": "1", "a": "2"})


def test_slips_are_counted_from_one() -> None:
    """A slip in the first character is in line 1, column 1."""
    assert slips("{{", {"a"}) == [Slip(1, 1, "two braces begin and end a placeholder, like {{ name }}")]


def test_words_are_those_of_the_database(admin_uri: str) -> None:
    """Channels and languages are the same in the code and in the database."""
    with psycopg.connect(admin_uri) as connection:
        for name, words in (("channel", Channel), ("locale", Locale)):
            row = connection.execute(
                "select pg_get_constraintdef(oid) from pg_constraint where conname = %s",
                [f"message_templates_{name}_known"],
            ).fetchone()
            assert row is not None
            assert set(row[0].split("'")[1::2]) == {str(word) for word in words}
