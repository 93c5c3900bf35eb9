"""On a million rows each question of every day follows its index, as often as it is asked (D-3)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from conftest import created
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load
from plans.plans import Plans
from plans.rows import MANY, fill

BOOKING = load("holdfast.booking")
STAFF = load("holdfast.booking", "staff_queries.sql")
PUBLIC = load("holdfast.content", "public.sql")
MODERATION = load("holdfast.moderation")
# More would be a scan in disguise.
ROWS_READ = 2_000
# Of the product's own statements none asks for one slot alone; these views are what others ask.
SLOT = """
    select id from {view}
     where business_id = %(business_id)s and service_id = %(service_id)s
       and start_at_utc = %(start)s and end_at_utc = %(end)s and status = '{status}'"""


@pytest.fixture(scope="module")
def uri(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of ten businesses with a million bookings, as many claims, and a good deal of the rest."""
    with created(postgres, "plans") as name:
        fill(postgres.uri(database=name))
        yield postgres.uri(database=name)


@pytest.fixture(scope="module")
def known(uri: str) -> dict[str, Any]:
    """What statements ask for: one business, and things that it has."""
    with psycopg.connect(uri) as connection:
        [business] = connection.execute("select id from businesses where slug = 'b-3'").fetchone() or ()

        def one(wanted: str) -> Any:
            [value] = connection.execute(wanted.encode(), [business]).fetchone() or ()
            return value

        start = one("select min(starts_at) + interval '30 days' from bookings where business_id = %s")
        return {
            "business_id": business,
            "resource_id": one("select id from resources where business_id = %s order by slug limit 1"),
            "service_id": one("select id from services where business_id = %s order by slug limit 1"),
            "schedule_id": one("select id from program_schedules where business_id = %s order by starts_at limit 1"),
            "start": start,
            "end": start + timedelta(hours=1),
            "week": start + timedelta(days=7),
            "far": one("select max(upper(during)) + interval '1 day' from claims where business_id = %s"),
        }


@pytest.fixture(scope="module")
def plans(uri: str, known: dict[str, Any]) -> Iterator[Plans]:
    """How statements run for that business."""
    opened = Plans(uri, known["business_id"])
    yield opened
    opened.close()


def batch(known: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the parameters of an admission of one booking at a time that is free."""
    start, end = known["far"].isoformat(), (known["far"] + timedelta(hours=1)).isoformat()
    wish = {
        "n": 1, "id": str(uuid4()), "key": "a key", "operation": "reserve", "hash": "00", "catalog": 1,
        "service": str(known["service_id"]), "starts": start, "ends": end, "claims_from": start, "claims_to": end,
        "notice_seconds": 0, "horizon_seconds": 10**9, "party": 1, "ttl": 60, "price": 0, "currency": "EUR",
    }  # fmt: skip
    return {"batch": json.dumps({str(known["business_id"]): [wish | more]}), "repeated": False}


def listed(known: dict[str, Any], **asked: Any) -> dict[str, Any]:
    """Return the parameters of a list of appointments."""
    names = ["from", "to", "after", "after_id", "states", "service_id", "schedule_id", "program_id", "contact"]
    names += ["resource_id"]
    return dict.fromkeys(names) | {"business_id": known["business_id"], "limit": 50} | asked


QUESTIONS: dict[str, tuple[str, Any, str, str]] = {
    # What is asked, its statement, its parameters, the table that it concerns, the index that it has to follow.
    "what occupies resources in a week": (
        BOOKING["occupation"],
        lambda k: {
            "business_id": k["business_id"], "resources": [k["resource_id"]], "limited": [k["resource_id"]],
            "from": k["start"], "to": k["week"], "without": None,
        },
        "claims", "claims_no_overlap",
    ),
    "is one resource free": (
        BOOKING["admit_batch"], lambda k: batch(k, solo=str(k["resource_id"])), "claims", "claims_no_overlap",
    ),
    "is one of several resources free": (
        BOOKING["admit_batch"], lambda k: batch(k, needs=[[str(k["resource_id"])]]), "claims", "claims_no_overlap",
    ),
    "which hold has run out first": (
        BOOKING["admit_batch"], lambda k: batch(k, solo=str(k["resource_id"])), "bookings", "idx_reservations_expiry",
    ),
    "whose holds have run out": (
        BOOKING["businesses_with_spent_holds"], lambda _: {}, "bookings", "idx_reservations_expiry",
    ),
    "end the holds that have run out": (
        BOOKING["expire_holds"], lambda k: {"business_id": k["business_id"], "limit": 100},
        "bookings", "idx_reservations_expiry",
    ),
    "whose payments have not come": (
        BOOKING["businesses_with_unpaid"], lambda _: {}, "bookings", "bookings_payment_awaited",
    ),
    "which payments have not come": (
        BOOKING["overdue"], lambda k: {"business_id": k["business_id"], "limit": 100},
        "bookings", "bookings_payment_awaited",
    ),
    "appointments of a schedule": (
        STAFF["list_appointments"], lambda k: listed(k, schedule_id=k["schedule_id"]),
        "bookings", "bookings_by_schedule",
    ),
    "appointments of a week": (
        STAFF["list_appointments"], lambda k: listed(k, **{"from": k["start"], "to": k["week"]}),
        "bookings", "idx_appointments_time",
    ),
    "the reservation of a slot": (
        SLOT.format(view="reservations", status="held"),
        lambda k: k, "bookings", "idx_reservations_slot",
    ),
    "the appointment of a slot": (
        SLOT.format(view="appointments", status="confirmed"),
        lambda k: k, "bookings", "idx_appointments_slot",
    ),
    "a published page": (
        PUBLIC["public_item"],
        lambda k: {"business_id": k["business_id"], "type": "article", "slug": "a-777"},
        "content_items", "content_items_slug",
    ),
    "the newest pages": (
        PUBLIC["public_items"],
        lambda k: dict.fromkeys(["type", "locale", "topic", "tag", "after", "after_id"])
        | {"business_id": k["business_id"], "limit": 50},
        "content_items", "content_items_public",
    ),
    "the questions that wait": (
        MODERATION["queue"],
        lambda k: dict.fromkeys(["category", "assigned_to", "at", "urgency", "last"])
        | {"business_id": k["business_id"], "statuses": ["new", "in_review"], "age_hours": 0, "limit": 50},
        "ugc_items", "ugc_items_urgent",
    ),
    "how the questions stand": (
        MODERATION["figures"], lambda k: {"business_id": k["business_id"]}, "ugc_items", "ugc_items_queue",
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_follows_its_index(plans: Plans, known: dict[str, Any], question: str) -> None:
    """The statement reads the table by its index, and few rows, under the application's role and tenant (D-3, D-9)."""
    statement, params, table, index = QUESTIONS[question]
    steps = [step for step in plans.steps(statement, params(known)) if step.table in MANY]
    assert index in {step.index for step in steps if step.table == table}
    assert [step for step in steps if step.is_scan_of_all or step.rows_read > ROWS_READ] == []
