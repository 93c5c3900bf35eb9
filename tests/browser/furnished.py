"""A practice with something of everything, served with a PostgreSQL, a Google and a YooKassa of its own."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from calendars.google.fake import FakeGoogle
from calendars.google.server import fake_google, settings_of
from interactive.quizzes import quiz
from journeys.instance import Instance, eventually, holdfast, serving
from leaks.capture import RUN
from payments.yookassa.fake import FakeYooKassa, fake_yookassa

Json = dict[str, Any]
Say = Callable[[str], str]

SLUG = "linden"
PASSWORD = "a lamp above the stairs"  # noqa: S105  of users that tests make
ROLES = ("owner", "assistant", "editor")
_FILE = Path(__file__).with_name("practice.toml")
_PLANTABLE = re.compile(r'"«(.*)»"')


@dataclass(repr=False)
class Place:
    """The server of the practice, and what the addresses of its pages are made of."""

    instance: Instance
    google: FakeGoogle
    yookassa: FakeYooKassa
    key: str
    # What a text of somebody is: itself, or with something planted in it.
    say: Say
    # What stands in the addresses of pages_list.py: {booking}, {token}.
    names: dict[str, str] = field(default_factory=dict)
    # The cookies of a login of each role.
    logins: dict[str, dict[str, str]] = field(default_factory=dict)
    _http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=60))

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.instance.url

    def close(self) -> None:
        """Call no more."""
        self._http.close()

    def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> Any:
        """Return the answer to a call that succeeds."""
        answer = self._http.request(method, self.url + path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def staff(self, method: str, path: str, body: Json | None = None) -> Any:
        """Return the answer to a call of the owner's program."""
        return self.call(method, path, body, **_bearer(self.key))

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.instance.dsn) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def thing(self, kind: str, slug: str) -> str:
        """Return the id of one of the services, resources or programs."""
        card = self.call("GET", f"/api/public/businesses/{SLUG}")
        return next(str(each["id"]) for each in card[kind] if each["slug"] == slug)

    def slots(self, service: str, ahead: int, resource: str | None = None) -> list[Json]:
        """Return what is free so many days ahead."""
        day = datetime.now(UTC).date() + timedelta(days=ahead)
        query = f"business={SLUG}&service_slug={service}&from={day}&to={day + timedelta(days=1)}"
        if resource is not None:
            query += f"&resource_id={self.thing('resources', resource)}"
        [shown] = self.call("GET", f"/api/public/booking/slots?{query}")["days"]
        return list(shown["slots"])

    def wish(self, service: str, ahead: int, number: int, resource: str | None = None, days_back: int = 0) -> Json:
        """Return the place of a booking: a free time of a day, or the same time so many days before it."""
        slot, back = self.slots(service, ahead, resource)[number], timedelta(days=days_back)
        start, end = (datetime.fromisoformat(slot[name]) - back for name in ("start", "end"))
        wish = {"serviceId": self.thing("services", service), "slotStart": _z(start), "slotEnd": _z(end)}
        return wish if resource is None else wish | {"resourceId": self.thing("resources", resource)}

    def guest(self, name: str) -> Json:
        """Return how a client is reached, whom nobody else has the address of."""
        return {
            "guestName": self.say(name),
            "guestEmail": f"{uuid4().hex}@example.org",
            "guestPhone": "+7 900 123-45-67",
        }

    def hold(self, service: str, ahead: int, number: int = 0, resource: str | None = None, **more: Any) -> Json:
        """Hold a time; return the reservation."""
        return dict(self.call("POST", "/api/booking/reserve", self.wish(service, ahead, number, resource) | more))

    def book(self, name: str, service: str, ahead: int, number: int = 0, resource: str | None = None) -> Json:
        """Book a time as a client; return the appointment with its token."""
        held = self.hold(service, ahead, number, resource)
        commit = {"reservationId": held["reservationId"], **self.guest(name)}
        return dict(self.call("POST", "/api/booking/commit", commit))

    def past(self, name: str, service: str, days_back: int, number: int, resource: str) -> Json:
        """Enter an appointment of the past by hand."""
        wish = self.wish(service, 14, number, resource, 14 + days_back)
        return dict(self.staff("POST", "/api/booking/appointments", wish | self.guest(name)))

    def change(self, made: Json, how: str, **body: Any) -> Json:
        """Cancel, refund or settle an appointment as staff."""
        path = f"/api/booking/appointments/{made['appointmentId']}/{how}"
        return dict(self.staff("POST", path, body | {"expectedVersion": made["version"], "reason": self.say("Звонок")}))

    def whose(self, made: Json) -> str:
        """Return what the pages of staff call the client of an appointment."""
        page = self._http.get(f"{self.url}/admin/bookings/{made['appointmentId']}", headers=_bearer(self.key)).text
        return re.findall(r'href="/admin/customers/([\w-]+)"', page)[0]

    def run_out(self, reservation_id: str) -> None:
        """Let a hold run out now, as if its time had passed."""
        self.sql(
            "update bookings set held_at = held_at - interval '1 day', expires_at = clock_timestamp(),"
            " version = version + 1 where id = %s and state = 'held'",
            reservation_id,
        )

    def deliver(self) -> None:
        """Let YooKassa tell what it has not told yet."""
        due = self.yookassa.webhooks.due()
        assert self.yookassa.webhooks.deliver(*due) == [200] * len(due)

    def sign_in(self, role: str) -> None:
        """Keep a login of the user of this role."""
        self.logins[role] = self.login(SLUG, f"{role}@linden.test")

    def login(self, business: str, email: str) -> dict[str, str]:
        """Return the cookies of a new login."""
        body = {"business": business, "email": email, "password": PASSWORD}
        answer = self._http.post(f"{self.url}/api/public/login", json=body)
        assert answer.is_success, answer.text
        self._http.cookies.clear()
        return dict(answer.cookies)


@contextmanager
def furnished(data_dir: Path, say: Say = str) -> Iterator[Place]:
    """Serve a practice until the block ends, with `say` deciding what each text in it is."""
    file = data_dir.parent / "practice.toml"
    planted = _PLANTABLE.sub(lambda text: json.dumps(say(text[1]), ensure_ascii=False), _FILE.read_text("utf-8"))
    file.write_text(planted, encoding="utf-8")
    port = _free_port()
    with (
        fake_yookassa() as yookassa,
        fake_google() as google,
        serving(data_dir, "--port", str(port), **_settings(google, yookassa, port)) as instance,
    ):
        imported = holdfast("import", file, "--data", data_dir)
        assert imported.returncode == 0, imported.stderr
        made = holdfast("key", "create", "--role", "owner", "--name", say("Ключ отчётов"), "--data", data_dir)
        google.oauth.redirect_uris.add(f"{instance.url}/api/admin/integrations/google-calendar/callback")
        place = Place(instance, google, yookassa, made.stdout.strip(), say)
        try:
            for furnish in (_staff, _bookings, _payments, _calendar, _waiting, _people, _content, _words):
                furnish(place)
            yield place
        finally:
            place.close()


def _free_port() -> int:
    """Return a port that nobody listens at: the server has to know its address before it serves, for Google to lead back."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _settings(google: FakeGoogle, yookassa: FakeYooKassa, port: int) -> dict[str, str]:
    RUN.guard_secret(yookassa.secret, "secret of a shop")
    there = settings_of(google)
    return {
        "HOLDFAST_STAGE": "internal",
        "HOLDFAST_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "HOLDFAST_DEFAULT_BUSINESS": SLUG,
        # As behind a proxy on this machine, which may say whom it has heard, and that they came by https.
        "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1",
        "HOLDFAST_YOOKASSA_API_URL": yookassa.url,
        "HOLDFAST_PRIVATE_WEBHOOKS": "1",
        "HOLDFAST_GOOGLE_CLIENT_ID": str(there.client_id),
        "HOLDFAST_GOOGLE_CLIENT_SECRET": str(there.client_secret),
        "HOLDFAST_GOOGLE_API_URL": there.api_url,
        "HOLDFAST_GOOGLE_AUTHORIZE_URL": there.authorize_url,
        "HOLDFAST_GOOGLE_TOKEN_URL": there.token_url,
        "HOLDFAST_GOOGLE_REVOKE_URL": there.revoke_url,
    }


def _staff(place: Place) -> None:
    place.staff("PUT", "/api/admin/settings/gcal_integration_enabled", {"value": "prod"})
    for role, name in zip(ROLES, ("Владелец практики", "Гость Девятый", "Гость Десятый"), strict=True):
        body = {"email": f"{role}@linden.test", "name": place.say(name), "roles": [role], "password": PASSWORD}
        place.names[role] = place.staff("POST", "/api/admin/users", body)["user"]["id"]
        place.sign_in(role)
    invited = {"email": "invited@linden.test", "name": place.say("Гость Одиннадцатый"), "roles": ["assistant"]}
    made = place.staff("POST", "/api/admin/users", invited | {"resourceIds": [place.thing("resources", "anna")]})
    place.names["user"] = made["user"]["id"]


def _bookings(place: Place) -> None:
    names = place.names
    things = {"service": ("services", "ahead"), "resource": ("resources", "anna"), "program": ("programs", "morning")}
    names |= {name: place.thing(*thing) for name, thing in things.items()}
    for ahead in range(1, 6):
        place.book("Гость Второй", "session", ahead, ahead, "anna")
        place.book("Гость Третий", "session", ahead, ahead + 3, "boris")
    booked = place.book("Гость Четвёртый", "couple", 2, 4, "clara")
    names |= {"booking": booked["appointmentId"], "token": booked["cancellationToken"]}
    names["customer"] = place.whose(booked)
    note = {"note": place.say("Просит тихий кабинет"), "expectedVersion": booked["version"]}
    place.staff("PATCH", f"/api/booking/appointments/{booked['appointmentId']}", note)
    answers = {place.say("С чем вы приходите?"): place.say("Плохо сплю")}
    place.call(
        "POST",
        "/api/public/booking/intake",
        {"appointmentId": booked["appointmentId"], "answers": answers},
        **{"Booking-Token": booked["cancellationToken"]},
    )
    names["held"] = place.hold("session", 3, 6, "boris")["reservationId"]
    expired = place.hold("intro", 3, 2, "clara")["reservationId"]
    place.run_out(expired)
    names["expired"] = expired
    for how, state, number in (("cancel", "cancelled", 1), ("refund", "refunded", 2)):
        made = place.book("Гость Пятый", "session", 4, number, "clara")
        names |= {state: made["appointmentId"], f"{state}_token": made["cancellationToken"]}
        place.change(made, how)
    for outcome, back in (("completed", 1), ("completed", 2), ("no_show", 3)):
        made = place.past("Гость Двенадцатый", "session", back, back, "anna")
        place.change(made, "outcome", outcome=outcome)
    names["past"] = place.past("Гость Седьмой", "session", 1, 5, "boris")["appointmentId"]
    _groups(place)
    tomorrow = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=1)
    block = {
        "resourceId": place.thing("resources", "boris"),
        "start": _z(tomorrow),
        "end": _z(tomorrow + timedelta(hours=3)),
    }
    names |= {"tomorrow": str(tomorrow.date()), "yesterday": str(tomorrow.date() - timedelta(days=2))}
    names["block"] = place.staff("POST", "/api/admin/blocks", block | {"reason": place.say("Супервизия")})["id"]


def _groups(place: Place) -> None:
    for program in ("morning", "circle"):
        found = place.call("GET", f"/api/public/programs/{program}/schedules?business={SLUG}")["schedules"]
        place.names[program] = found[3]["id"]
        for name in ("Гость Восьмой", "Гость Тринадцатый"):
            held = place.call("POST", "/api/booking/reserve", {"scheduleId": found[3]["id"]})
            made = place.call(
                "POST", "/api/booking/commit", {"reservationId": held["reservationId"], **place.guest(name)}
            )
            place.names |= {"joined": made["appointmentId"], "joined_token": made["cancellationToken"]}


def _payments(place: Place) -> None:
    shop = {"shopId": place.yookassa.shop_id, "secretKey": place.yookassa.secret}
    place.staff("PUT", "/api/admin/integrations/payments/yookassa", shop)
    place.yookassa.webhooks.url = f"{place.url}/api/webhooks/yookassa/{SLUG}"
    waiting = place.book("Гость Четырнадцатый", "ahead", 5, 0)
    place.names |= {"unpaid": waiting["appointmentId"], "unpaid_token": waiting["cancellationToken"]}
    paid = place.book("Гость Шестой", "ahead", 5, 2)
    place.names |= {"paid": paid["appointmentId"], "paid_token": paid["cancellationToken"]}
    [remote] = [one for one in place.yookassa.payments() if one["confirmation"]["confirmation_url"] == _link(paid)]
    place.yookassa.pay(remote["id"])
    place.deliver()
    confirmed = "select 1 from bookings where id = %s and state = 'confirmed'"
    eventually(lambda: place.sql(confirmed, paid["appointmentId"]), 60)
    [(payment,)] = place.sql("select id from payments where booking_id = %s", paid["appointmentId"])
    place.names["payment"] = str(payment)


def _link(made: Json) -> str:
    return str(made["payment"]["confirmationUrl"])


def _calendar(place: Place) -> None:
    noon = datetime.now(UTC).replace(hour=15, minute=0, second=0, microsecond=0) + timedelta(days=2)
    title = place.say("Приём у врача").replace(";", "").replace(",", "")
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//", "BEGIN:VEVENT", "UID:one", f"SUMMARY:{title}"]
    lines += [f"DTSTAMP:{noon:%Y%m%dT%H%M%SZ}", f"DTSTART:{noon:%Y%m%dT%H%M%SZ}", "DURATION:PT2H", "END:VEVENT"]
    file = place.instance.data_dir.parent / "busy.ics"
    file.write_text("\r\n".join([*lines, "END:VCALENDAR", ""]), encoding="utf-8")
    words = ["--as", "busy", "--resource", "clara", "--business", SLUG]
    imported = holdfast("import", file, "--data", place.instance.data_dir, *words)
    assert imported.returncode == 0, imported.stderr


def _waiting(place: Place) -> None:
    full = {"scheduleId": place.names["circle"], **place.guest("Гость Пятнадцатый")}
    kept = place.call("POST", "/api/public/booking/waitlist", full)
    place.names |= {"waiting": kept["waitlistId"], "waiting_token": kept["token"]}
    _offer(place)


def _offer(place: Place) -> None:
    found = place.call("GET", f"/api/public/programs/circle/schedules?business={SLUG}")["schedules"][5]
    both = {"scheduleId": found["id"], "partySize": 2}
    held = place.call("POST", "/api/booking/reserve", both)
    kept = place.call(
        "POST", "/api/public/booking/waitlist", {"scheduleId": found["id"], **place.guest("Гость Шестнадцатый")}
    )
    place.call("DELETE", f"/api/booking/reservations/{held['reservationId']}")
    offered = "select 1 from waitlist_requests where id = %s and state = 'offered'"
    eventually(lambda: place.sql(offered, kept["waitlistId"]), 60)
    place.names |= {"offered": kept["waitlistId"], "offered_token": kept["token"]}


def _people(place: Place) -> None:
    for text, topic in (("Как перестать тревожиться по ночам?", "sleep"), ("Я больше не хочу жить", None)):
        question = {"business": SLUG, "text": place.say(text), "consent": True, "topic": topic, "locale": "ru"}
        place.call("POST", "/api/public/questions", question)
    items = place.staff("GET", "/api/admin/moderation/queue")["items"]
    place.names["question"] = items[-1]["id"]
    _answered(place)
    contact = {
        "email": "lead@example.org",
        "name": place.say("Гость Семнадцатый"),
        "messenger": {"network": "telegram", "handle": "semyon_p"},
    }
    utm = {"utmSource": "flyer", "utmCampaign": "autumn"}
    place.call("POST", "/api/public/leads", {"business": SLUG, "consent": True, **contact, **utm})
    other = {"email": "second@example.org", "name": place.say("Гость Восемнадцатый")}
    place.call("POST", "/api/public/leads", {"business": SLUG, "consent": True, **other})
    leads = place.staff("GET", "/api/admin/leads")["leads"]
    place.names |= {"lead": leads[-1]["id"], "other_lead": leads[0]["id"]}
    place.staff("POST", f"/api/admin/leads/{leads[-1]['id']}/notes", {"text": place.say("Перезвонить в среду")})
    place.staff("POST", "/api/admin/deep-links", {"targetPath": "/booking/slot", "utmSource": "flyer", "id": "flyer"})
    consent = {"business": SLUG, "email": "lead@example.org", "kind": "privacy_policy", "documentVersion": "1"}
    place.call("POST", "/api/public/consents", consent)


def _answered(place: Place) -> None:
    question = {"business": SLUG, "text": place.say("Помогает ли дневник?"), "consent": True, "locale": "ru"}
    asked = place.call("POST", "/api/public/questions", question)
    path = f"/api/admin/moderation/items/{asked['id']}"
    words = {"publicText": place.say("Стоит ли вести дневник?"), "publicAnswer": place.say("Стоит.\n\nДва дня.")}
    item = {"version": 1}
    for step, body in (("assign", {}), ("answer", {"text": place.say("Да, помогает.")}), ("publish", words)):
        item = place.staff("POST", f"{path}/{step}", body | {"expectedVersion": item["version"]})
    place.names["answered_question"] = asked["id"]


def _content(place: Place) -> None:
    say, names = place.say, place.names
    topic = place.staff("POST", "/api/admin/topics", {"slug": "calm", "nameRu": say("Покой"), "nameEn": say("Calm")})
    tag = place.staff("POST", "/api/admin/tags", {"slug": "breath", "name": say("Дыхание")})
    text = say("# Как заснуть\n\nДышите **медленно**: [дальше](javascript:planted()).")
    item = {"type": "article", "locale": "ru", "summary": say("О сне"), "body": text}
    made = place.staff(
        "POST", "/api/admin/content", item | {"slug": "sleep", "title": say("Сон"), "topics": [topic["slug"]]}
    )
    names["item"] = made["id"]
    for step in ("submit", "publish"):
        made = place.staff("POST", f"/api/admin/content/{names['item']}/{step}", {"expectedVersion": made["version"]})
    draft = item | {"slug": "breath", "title": say("Вдох и выдох"), "tags": [tag["slug"]]}
    made = place.staff("POST", "/api/admin/content", draft)
    names["draft"] = made["id"]
    better = {"body": f"{text}\n\n{say('И ещё раз.')}", "expectedVersion": made["version"]}
    place.staff("PATCH", f"/api/admin/content/{made['id']}", better)
    picture = {"sha256": "ab" * 32, "mediaType": "image/png", "bytes": 5, "location": "/a.png"}
    place.staff("POST", "/api/admin/media", picture | {"altText": say("Окно")})
    shelf = {"slug": "start", "title": say("С чего начать"), "description": say("Первые шаги"), "published": True}
    place.staff("POST", "/api/admin/collections", shelf)
    term = {"term": say("Тревога"), "definition": say("Чувство"), "locale": "ru", "synonyms": [say("Беспокойство")]}
    place.staff("POST", "/api/admin/glossary", term)
    definition = quiz(1, 1, title=say("Сон и тревога"))
    made = place.staff("POST", "/api/admin/interactives", {"slug": "sleep", "locale": "ru", "definition": definition})
    names["quiz"] = made["id"]
    place.staff("POST", f"/api/admin/interactives/{made['id']}/publish", {"expectedVersion": made["version"]})
    for _ in range(3):
        place.call("POST", "/api/public/interactives/sleep/runs", {"business": SLUG})
    for ahead in range(20):
        place.sql(
            'insert into analytics_events select id, uuidv7(), counted.name, \'{"service_slug": "session"}\'::jsonb, times,'
            " clock_timestamp() - make_interval(days => %s) from businesses,"
            " (values ('booking_slots_viewed', 9), ('booking_slot_selected', 5), ('booking_details_submitted', 3),"
            " ('booking_confirmed', 2)) counted (name, times) where slug = %s",
            ahead,
            SLUG,
        )


def _words(place: Place) -> None:
    subject, body = place.say("Вы записаны"), place.say("Ждём вас: {{service_name}}, {{start}}.")
    path = "/api/admin/templates/appointment_confirmed/ru/email"
    place.staff("PUT", path, {"subject": subject, "body": body})
    # Nobody listens there: its messages wait for their next attempt.
    told = {"name": place.say("Бухгалтерия"), "url": "http://127.0.0.1:9/hooks", "types": ["AppointmentConfirmed"]}
    place.names["webhook"] = place.staff("POST", "/api/admin/webhooks", told)["id"]
    place.staff("POST", f"/api/admin/webhooks/{place.names['webhook']}/test")


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _z(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
