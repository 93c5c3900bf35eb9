"""Whatever is in a file, it is read or refused with lines and reasons, and what is read can be imported."""

import json
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from holdfast.business_files.demo import demo_text
from holdfast.business_files.errors import BusinessFileInvalid
from holdfast.business_files.importing import load
from holdfast.business_files.shape import BusinessFile
from holdfast.business_files.toml_file import read
from holdfast.kernel.database import Database

DEMO = demo_text().splitlines()
KEYS = sorted(
    {line.split("=")[0].strip() for line in DEMO if "=" in line and not line.startswith("#")}
    | {"capacity", "daily_limit", "timezone", "always_open", "hours", "overrides", "date", "valid_from", "valid_until"}
    | {"payment_minutes", "refunds", "hours_before", "percent"}
    | {"hold_minutes", "max_horizon_days", "monday", "sunday", "hours.friday", "every", "at", "unheard-of", '"quoted"'}
)
VALUES = [
    *("0", "1", "12", "-1", "1000", "1001", "99999999999999999999", "1.5", "inf", "nan", "true", "[]", "{}", "[[]]"),
    *('""', '"0"', '"1.00"', '"0.001"', '"09:00-21:00"', '["09:00-21:00"]', '["22:00-02:00", "10:00-24:00"]', '["9"]'),
    *("2027-01-01", "9999-12-31", "0001-01-01", "07:30:00", "07:30:00.5", "2027-01-01T00:00:00Z", "''", "'''\n'''"),
    *('"2027-02-30"', '"07:30"', '"room"', '["studio"]', '[["room"], ["studio"]]', '["room", "room"]', '"none"'),
    *('"on_site"', '"prepay"', '"Asia/Tokyo"', '"JPY"', '"Сад"', '"new-slug"', '{ every = "day", at = "07:30" }'),
    *('[{ every = "sunday", at = "00:00" }]', "{ date = 2027-01-01, hours = [] }", '"a\\u0000b"', '"\\U0001F600"'),
    *("[{ hours_before = 24, percent = 50 }]", "{ hours_before = 2, percent = 0 }"),
    *("[{ date = 2027-01-01, hours = [] }]", '{ monday = ["09:00-12:00"] }', '[{ monday = ["09:00-12:00"] }]'),
]  # fmt: skip
HEADERS = ["[business]", "[hours]", "[[hours]]", "[[resources]]", "[[services]]", "[[programs]]", "[resources.hours]"]
HEADERS += ["[[resources.overrides]]", "[[programs.schedule]]", "[[services.refunds]]", "[[resources.hours]]"]
HEADERS += ["[other]", "[[business]]"]


@st.composite
def damaged_files(draw: st.DrawFn) -> str:
    """Return the demo with some lines lost, doubled, swapped, changed or added."""
    lines = list(DEMO)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "swap", "change", "add", "open", "scratch"])):
            case "lose":
                lines[at] = ""
            case "double":
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "change":
                lines[at] = f"{lines[at].split('=')[0]} = {draw(st.sampled_from(VALUES))}"
            case "add":
                lines.insert(at, f"{draw(st.sampled_from(KEYS))} = {draw(st.sampled_from(VALUES))}")
            case "open":
                lines.insert(at, draw(st.sampled_from(HEADERS)))
            case "scratch":
                cut = draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:cut] + draw(st.text(max_size=3)) + lines[at][cut:]
    return "\n".join(lines)


def read_or_refuse(source: str | bytes) -> BusinessFile | None:
    """Return the file, or None when it is refused as promised."""
    try:
        return read(source)
    except BusinessFileInvalid as refusal:
        problems = refusal.problems
    lines = source.count(b"\n" if isinstance(source, bytes) else "\n") + 1  # type: ignore[arg-type]
    assert problems
    assert all(1 <= problem.line <= lines and problem.reason.isprintable() for problem in problems), problems
    return None


@given(damaged_files())
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_file_is_read_or_refused(text: str) -> None:
    """Nothing but accepted or refused with lines and reasons happens to a file that somebody has edited (K-2)."""
    read_or_refuse(text)


@given(st.text() | st.binary() | st.text(alphabet="[]{}=\".\n a1#,'\\-:"))
@example("\r")
@example("a = '\ud800'")
@example('"\ud800" = 1')
@example("a." * 1000 + "a = 1")
@example("a = " + "{a = " * 5000)
@settings(deadline=None)
def test_anything_is_read_or_refused(source: str | bytes) -> None:
    """Nothing but accepted or refused with lines and reasons happens to any text or bytes at all (K-2)."""
    read_or_refuse(source)


def number(least: int, most: int) -> st.SearchStrategy[int]:
    """Return numbers of a range, its ends above all."""
    return st.sampled_from([least, most]) | st.integers(least, most)


TIMES = st.sampled_from(["00:00", "02:30", "09:00", "23:59", "12:00:30"])
WINDOWS = st.lists(st.tuples(TIMES, TIMES | st.just("24:00")).map("-".join), max_size=3)
DATES = st.sampled_from(["0001-01-01", "2026-12-31", "9999-12-31"])
ZONES = st.sampled_from(["Europe/Moscow", "Pacific/Apia", "America/St_Johns", "Africa/Casablanca", "Etc/GMT+12"])
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200).filter(str.strip)
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS = st.fixed_dictionaries({}, optional=dict.fromkeys(("every_day", *WEEK), WINDOWS))
SEASON = st.fixed_dictionaries({"valid_from": st.just("0001-01-01"), "valid_until": DATES, "friday": WINDOWS})
OVERRIDES = st.lists(st.fixed_dictionaries({"date": DATES, "hours": WINDOWS}), max_size=2)
PRICED = st.sampled_from([{}, {"price": "0.01", "payment": "prepay"}, {"price": "9999999999", "payment": "on_site"}])
REFUNDS = st.dictionaries(number(0, 8_760), number(0, 100), max_size=4).map(
    # Less for who comes later; said in any order.
    lambda terms: [
        {"hours_before": hours, "percent": percent}
        for hours, percent in zip(sorted(terms), sorted(terms.values()), strict=True)
    ]
)
PAYING = {"payment_minutes": number(5, 1_440), "refunds": REFUNDS}
RESOURCE = {
    "name": NAMES,
    "kind": st.sampled_from(["practitioner", "room", "pool"]),
    "capacity": number(1, 20) | st.just(1000),
    "daily_limit": number(1, 1000),
    "timezone": ZONES,
}
SERVICE = {
    "name": NAMES,
    "duration_minutes": number(1, 10_080),
    "buffer_before_minutes": number(0, 1_440),
    "buffer_after_minutes": number(0, 1_440),
    "slot_step_minutes": number(1, 1_440),
    **PAYING,
    "hold_minutes": number(1, 1_440),
    "min_notice_minutes": number(0, 525_600),
    "max_horizon_days": number(1, 730),
    "cancel_notice_minutes": number(0, 525_600),
    "max_simultaneous_bookings": number(1, 1_000),
}
PROGRAM = {
    "name": NAMES,
    "duration_minutes": number(1, 10_080),
    "capacity": number(1, 1_000_000),
    **PAYING,
    "hold_minutes": number(1, 1_440),
    "cancel_notice_minutes": number(0, 525_600),
    "timezone": ZONES,
    "schedule": st.lists(
        st.fixed_dictionaries({"every": st.sampled_from(WEEK), "at": TIMES}),
        max_size=4,
        unique_by=lambda occurrence: (occurrence["every"], occurrence["at"]),
    ),
}


def some(draw: st.DrawFn, fields: dict[str, st.SearchStrategy[Any]], *required: str) -> dict[str, Any]:
    """Return the required fields and some of the others."""
    optional = {name: field for name, field in fields.items() if name not in required}
    return draw(st.fixed_dictionaries({name: fields[name] for name in required}, optional=optional))


@st.composite
def sound_files(draw: st.DrawFn) -> str:
    """Return a file in which all is well, its values at the edges of what may be said."""
    slugs = draw(st.lists(st.sampled_from(["a", "b", "c", "d" * 63, "1-2"]), min_size=1, max_size=4, unique=True))
    opening = st.one_of(
        st.just({}),
        st.just({"always_open": True}),
        st.fixed_dictionaries({"hours": HOURS | st.lists(SEASON, max_size=2), "overrides": OVERRIDES}),
    )
    resources = [some(draw, RESOURCE, "name", "kind") | draw(opening) | {"slug": slug} for slug in slugs]
    services = [
        some(draw, SERVICE, "name", "duration_minutes") | draw(PRICED) | {"slug": f"service-{slug}"[:63]}
        | {"requires": [[each] for each in slugs] if draw(st.booleans()) else [slugs]}
        for slug in slugs
    ]  # fmt: skip
    programs = [
        some(draw, PROGRAM, "name", "duration_minutes", "capacity") | draw(PRICED) | {"slug": f"program-{slug}"[:63]}
        | {"uses": draw(st.lists(st.sampled_from(slugs), unique=True))}
        for slug in slugs
    ]  # fmt: skip
    business = {"slug": f"b-{uuid4().hex[:8]}", "name": draw(NAMES), "timezone": draw(ZONES), "currency": "RUB"}
    file = {"business": business, "hours": draw(HOURS), "resources": resources, "services": services}
    return "\n".join(f"{key} = {toml(part)}" for key, part in {**file, "programs": programs}.items())


def toml(value: Any) -> str:
    """Return a value as it is written in a line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


@given(text=sound_files())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_what_is_read_can_be_imported(database: Database, text: str) -> None:
    """No value that the reader accepts is refused by the database, and importing it again changes nothing (K-2)."""
    file = read(text)
    await load(database, file)
    again = await load(database, file)
    unchanged = (again.resources.unchanged, again.services.unchanged, again.programs.unchanged)
    assert (again.business, *map(len, unchanged)) == ("unchanged", *[len(file.resources)] * 3)
    assert (again.schedules.created, again.schedules.withdrawn) == (0, 0)
