"""Mail that staff ask for: a template tried out on themselves, an invitation to a user (W-2)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START
from booking.served import problem, wrong_fields
from booking.staffed import bearer, make_key
from conftest import NO_PROVIDERS
from holdfast.administration.templates import MESSAGES, Channel, Locale, Name, Text, write
from holdfast.identity.permissions import Role
from holdfast.identity.users import User
from holdfast.kernel.database import Transaction
from holdfast.notifications.messages import TEMPLATE_TEST
from holdfast.notifications.on_request import send_invitation
from holdfast.notifications.settings import MailSettings
from identity.entrance import Browser, Practice, open_entrance
from notifications.posting import Post, owner_in

PATH = "/api/admin/templates/test-send"
ASKED = {"kind": "appointment_confirmed", "locale": "en"}


@pytest_asyncio.fixture
async def office(post: Post) -> AsyncIterator[Practice]:
    """Where the staff of a practice with mail sign in; their mail is that of `post`."""
    async with open_entrance(post.dsn, post.database, payments=NO_PROVIDERS, mail=post.desk.settings) as opened:
        yield opened


async def assistant(office: Practice, **more: Any) -> tuple[Browser, User]:
    """Return somebody of the front desk, signed in."""
    user = await office.user(Role.ASSISTANT, **more)
    return await office.signed_in(user), user


async def test_a_template_is_tried_out_on_whoever_asks(office: Practice, post: Post) -> None:
    """A test goes to the address of whoever is signed in, with examples in the place of what is not known (W-2)."""
    browser, user = await assistant(office)
    answer = await browser.call("POST", PATH, ASKED | {"locale": "ru"})
    assert answer.status_code == 202
    assert answer.json()["recipient"] == user.email
    [mail] = await post.deliver()
    assert mail.recipient == user.email
    assert mail.subject == "Проба: Подтверждено: Individual session, Saturday, 21 November 2026, 15:00"
    assert "Ваша запись подтверждена" in mail.text
    assert "Practice" in str(mail.message["From"])
    assert not [part for part in mail.message.walk() if part.get_content_subtype() == "calendar"]


async def test_what_is_not_written_yet_is_tried_out(office: Practice, post: Post) -> None:
    """A text that is given is sent and not written; the other part is what is in use, and slips are told (W-2)."""
    browser, _ = await assistant(office)
    own = Name("appointment_confirmed", Locale.EN, Channel.EMAIL_HTML)

    async def put(tx: Transaction) -> None:
        await write(tx, own, Text("HTML", "<p>written {{ guest_name }}</p>"), expected_version=0, staff=owner_in(tx))

    await office.database.run(office.business_id, put)
    texts = {"subject": "New {{ start }}", "body": "New & {{ guest_name }}"}
    assert (await browser.call("POST", PATH, ASKED | texts)).status_code == 202
    [mail] = await post.deliver()
    assert (mail.subject.startswith("Test: New Saturday"), mail.text.strip()) == (True, "New & Guest")
    assert "New &amp; Guest" in mail.html
    html = {"channel": "email_html", "subject": "x", "body": "<h1>{{ guest_name }}</h1>"}
    assert (await browser.call("POST", PATH, ASKED | html)).status_code == 202
    [mail] = await post.deliver()
    assert "<h1>Guest</h1>" in mail.html
    assert "your appointment is confirmed" in mail.text
    assert (await browser.call("POST", PATH, ASKED)).status_code == 202
    [mail] = await post.deliver()
    assert "<p>written Guest</p>" in mail.html
    listed = (await browser.call("GET", "/api/admin/templates")).json()["templates"]
    assert [each["body"] for each in listed] == ["<p>written {{ guest_name }}</p>"]
    assert wrong_fields(await browser.call("POST", PATH, ASKED | {"subject": "s", "body": "{{ x }}"})) == {"body"}
    assert wrong_fields(await browser.call("POST", PATH, ASKED | {"subject": "s"})) == {"body"}
    problem(await browser.call("POST", PATH, {"kind": "unheard_of"}), 404, "unknown_message")
    problem(await browser.call("POST", PATH, ASKED | {"channel": "sms"}), 404, "unknown_template")
    assert await post.deliver() == []


async def test_tests_are_few(office: Practice, post: Post) -> None:
    """Five tests within ten minutes are enough for one user; others have their own five (W-2)."""
    browser, _ = await assistant(office)
    answers = [await browser.call("POST", PATH, ASKED) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 2
    assert problem(answers[-1], 429, "too_many_requests")["details"]["limit"] == "user"
    assert answers[-1].headers["Retry-After"] == "600"
    other, _ = await assistant(office)
    assert (await other.call("POST", PATH, ASKED)).status_code == 202
    assert len(await post.deliver()) == 6


async def test_a_test_that_fails_calls_nobody(office: Practice, post: Post) -> None:
    """Whoever tries out sees what becomes of it: the inbox of the practice stays empty (W-2)."""
    browser, _ = await assistant(office)
    post.sink.refuse_recipient = lambda _: "550 5.1.1 nobody here"
    await browser.call("POST", PATH, ASKED)
    assert await post.deliver() == []
    async with office.database.transaction(office.business_id) as tx:
        [row] = await tx.rows("select kind, state, reason from messages")
        assert (row["kind"], row["state"], row["reason"]) == (TEMPLATE_TEST, "failed", "refused")
        assert await tx.rows("select id from attention_items") == []


async def test_keys_and_servers_without_mail_send_nothing(office: Practice, post: Post) -> None:
    """A key has no address, and a server without one of mail says so instead of taking a test on (W-2)."""
    key = await make_key(office.database, office.business_id, Role.OWNER)
    problem(await office.browser().call("POST", PATH, ASKED, headers=bearer(key)), 409, "no_address")
    async with open_entrance(post.dsn, post.database, payments=NO_PROVIDERS) as silent:
        browser, _ = await assistant(silent)
        problem(await browser.call("POST", PATH, ASKED), 409, "mail_not_configured")
    assert await post.deliver() == []


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_a_user_is_invited_by_mail(office: Practice, post: Post, language: str) -> None:
    """An invitation has the address where a password is chosen, and until when; the outbox knows nothing of it (W-2)."""
    user = await office.user(Role.EDITOR, password=None)
    link = f"https://booking.test/admin/invitation/{uuid4()}"
    ends = datetime(2026, 12, 24, 15, 30, tzinfo=UTC)

    async def invite(tx: Transaction, settings: MailSettings = post.desk.settings) -> UUID | None:
        return await send_invitation(tx, user, link, ends, language, settings)

    assert await office.database.run(office.business_id, lambda tx: invite(tx, MailSettings())) is None
    assert await office.database.run(office.business_id, invite) is not None
    [mail] = await post.deliver()
    assert (mail.recipient, link in mail.text, link in mail.html) == (user.email, True, True)
    assert mail.subject == {"en": "Your access to Practice", "ru": "Ваш доступ к «Practice»"}[language]
    assert {"en": "24 December", "ru": "24 декабря"}[language] in mail.text
    with post.as_admin() as connection:
        [(events,)] = connection.execute("select count(*) from outbox_events where payload::text ~ 'invitation'")
    assert events == 0


async def test_staff_read_what_was_told(office: Practice, post: Post) -> None:
    """Of an appointment its messages are listed in order, with what has become of each and without words (W-2)."""
    booking_id = await post.booked()
    await post.deliver()
    await post.practice.move(booking_id, "session", START + HOUR_SECONDS)
    await post.find()
    key = await make_key(post.database, post.business_id, Role.ASSISTANT)
    path = f"/api/admin/appointments/{booking_id}/messages"
    answer = await office.browser().call("GET", path, headers=bearer(key))
    told = answer.json()["messages"]
    assert [(each["kind"], each["state"], each["attempts"]) for each in told] == [
        ("appointment_confirmed", "sent", 1),
        ("appointment_changed", "queued", 0),
    ]
    assert (told[0]["locale"], told[0]["sentAt"] is not None, told[1]["nextAttemptAt"] is not None) == (
        "en",
        True,
        True,
    )
    assert "Mailworthy" not in answer.text
    editor = await make_key(post.database, post.business_id, Role.EDITOR)
    problem(await office.browser().call("GET", path, headers=bearer(editor)), 403, "forbidden")
    stranger = await make_key(office.database, office.business_id, Role.ASSISTANT)
    for where in (path, "/api/admin/appointments/none/messages"):
        problem(await office.browser().call("GET", where, headers=bearer(stranger)), 404, "appointment_not_found")
    assert set(MESSAGES) >= {each["kind"] for each in told}
