"""What is read from a business file, and what is refused."""

from datetime import date, time

import pytest

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.business_files.demo import demo_text
from holdfast.business_files.errors import BusinessFileInvalid
from holdfast.business_files.toml_file import read
from holdfast.catalog.refund_terms import Term

# 22 lines. Tests change a line of it or add some at the end.
GOOD = """\
[business]
slug = "b"
name = "Практика"
timezone = "Europe/Moscow"
currency = "RUB"

[[resources]]
slug = "anna-room"
name = "Room"
kind = "room"

[[services]]
slug = "session"
name = "Session"
duration_minutes = 50
requires = [["anna-room"]]

[[programs]]
slug = "group"
name = "Group"
duration_minutes = 60
capacity = 12
"""


def refund(hours_before: float, percent: float) -> str:
    """A line of what is given back."""
    return f"{{ hours_before = {hours_before}, percent = {percent} }}"


def problems(text: str | bytes) -> list[tuple[int, str]]:
    """Return the lines and reasons for which a file is refused."""
    with pytest.raises(BusinessFileInvalid) as refusal:
        read(text)
    told = [(problem.line, problem.reason) for problem in refusal.value.problems]
    assert str(refusal.value) == "\n".join(f"line {line}: {reason}" for line, reason in told)
    assert refusal.value.details == {"problems": [{"line": line, "message": reason} for line, reason in told]}
    return told


@pytest.mark.parametrize(
    ("line", "said", "reason"),
    [
        (2, 'slug = "No Slug"', "slug: 'No Slug' is no slug"),
        (2, f'slug = "{"a" * 64}"', "63 characters at most"),
        (2, 'slug = "123e4567-e89b-42d3-a456-426614174000"', "a slug that reads as an id would be taken for one"),
        (3, 'name = "  "', "name: a name has 1 to 200 characters"),
        (3, 'name = "a\\u0000b"', "characters that cannot be shown"),
        (3, "name = 5", "name: 5 is not text in quotes"),
        (4, 'timezone = "Moscow"', "timezone: 'Moscow' is no time zone"),
        (4, "timezone = []", "timezone: this is not text in quotes"),
        (5, 'currency = "rub"', "currency: 'rub' is no currency"),
        (5, 'currency = "RUB"\nlocale = "Russian"', "locale: 'Russian' is no locale"),
        (5, "", "currency is missing"),
        (7, "[[resuorces]]", "unknown key 'resuorces'; is 'resources' meant?"),
        (8, "slug = 1", "slug: 1 is not text in quotes"),
        (10, 'kind = "kitchen"', "kind: it is one of practitioner, room, pool"),
        (10, 'kind = "room"\ncapacity = 0', "capacity: Expected `int` >= 1"),
        (10, 'kind = "room"\ncapacity = 1001', "capacity: Expected `int` <= 1000"),
        (10, 'kind = "room"\ncapacity = 2.0', "capacity: Expected `int`, got `float`"),
        (10, 'kind = "room"\ncapacity = true', "capacity: Expected `int`, got `bool`"),
        (10, 'kind = "room"\ncolour = "red"', "unknown key 'colour'"),
        (10, 'kind = "room"\nhours = ["09:00-21:00"]', "hours is a table; write its keys under a header"),
        (10, 'kind = "room"\nhours.monday = "09:00-21:00"', "monday: it is a list of values in square brackets"),
        (10, 'kind = "room"\nhours.monday = ["09:00"]', "monday: '09:00' are no hours"),
        (10, 'kind = "room"\nhours.monday = ["-21:00"]', "monday: '-21:00' are no hours"),
        (10, 'kind = "room"\nhours.monday = ["09:00-"]', "monday: '09:00-' are no hours"),
        (10, 'kind = "room"\nhours.monday = ["24:00-09:00"]', "monday: '24:00-09:00' are no hours"),
        (10, 'kind = "room"\nhours.monday = ["09:00-25:00"]', "monday: '09:00-25:00' are no hours"),
        (10, 'kind = "room"\nhours.valid_from = 2027-01-01T00:00:00Z', "valid_from: this is no date"),
        (10, 'kind = "room"\nhours.valid_from = "soon"', "valid_from: 'soon' is no date"),
        (10, 'kind = "room"\nalways_open = true\nhours.monday = []', "a resource that is always open has no hours"),
        (15, "duration_minutes = 0", "duration_minutes: Expected `int` >= 1"),
        (15, 'duration_minutes = "50"', "duration_minutes: Expected `int`, got `str`"),
        (15, "duration_minutes = 50\nprice = 3500.0", 'price: a price is written in quotes, like "3500.00"'),
        (15, "duration_minutes = 50\nprice = 3500", 'price: a price is written in quotes, like "3500.00"'),
        (15, 'duration_minutes = 50\nprice = "3 500"', "price: '3 500' is not a price"),
        (15, 'duration_minutes = 50\nprice = "1.005"', "price: '1.005' has more decimals than RUB has (2)"),
        (15, 'duration_minutes = 50\nprice = "99999999999"', "price: '99999999999' is more than can be charged"),
        (15, 'duration_minutes = 50\npayment = "card"', "payment: it is one of none, on_site, prepay"),
        (15, 'duration_minutes = 50\npayment = "prepay"', "what is paid in advance has a price"),
        (15, "duration_minutes = 50\nmax_simultaneous_bookings = 0", "max_simultaneous_bookings: Expected `int` >= 1"),
        (15, "duration_minutes = 50\npayment_minutes = 4", "payment_minutes: Expected `int` >= 5"),
        (15, "duration_minutes = 50\npayment_minutes = 1441", "payment_minutes: Expected `int` <= 1440"),
        (
            15,
            "duration_minutes = 50\nrefunds = 100",
            "refunds: it is a list of tables, each under [[services.refunds]]",
        ),
        (15, f"duration_minutes = 50\nrefunds = [{refund(24, 101)}]", "percent: Expected `int` <= 100"),
        (15, f"duration_minutes = 50\nrefunds = [{refund(24, -1)}]", "percent: Expected `int` >= 0"),
        (15, f"duration_minutes = 50\nrefunds = [{refund(24, 50.5)}]", "percent: Expected `int`, got `float`"),
        (15, f"duration_minutes = 50\nrefunds = [{refund(8761, 50)}]", "hours_before: Expected `int` <= 8760"),
        (15, "duration_minutes = 50\nrefunds = [{ hours_before = 24 }]", "percent is missing"),
        (15, f"duration_minutes = 50\nrefunds = [{refund(24, 50)}, {refund(24, 40)}]", "two terms have 24 hours"),
        (15, f"duration_minutes = 50\nrefunds = [{refund(24, 50)}, {refund(2, 60)}]", "2 hours before would get more"),
        (15, f"duration_minutes = 50\nrefunds = [{21 * (refund(24, 50) + ', ')}]", "it has more than 20 items"),
        (22, f"capacity = 1\nrefunds = [{refund(2, 60)}, {refund(24, 50)}]", "2 hours before would get more"),
        (22, "capacity = 1\npayment_minutes = 0", "payment_minutes: Expected `int` >= 5"),
        (16, 'requires = [["anna-rom"]]', "requires: there is no resource 'anna-rom'; is 'anna-room' meant?"),
        (16, 'requires = [["anna-room"], ["anna-room"]]', "requires: 'anna-room' is named twice"),
        (16, "requires = []", "requires: it names nothing"),
        (16, "requires = [[]]", "requires: it names nothing"),
        (16, 'requires = ["anna-room"]', "requires: it is a list of values in square brackets"),
        (16, "requires = [" + 11 * '["anna-room"], ' + "]", "requires: it has more than 10 items"),
        (16, "", "requires is missing"),
        (22, "capacity = 0", "capacity: Expected `int` >= 1"),
        (22, 'capacity = 1\nuses = ["nowhere"]', "uses: there is no resource 'nowhere'"),
        (22, 'capacity = 1\nschedule = [{ every = "weekday", at = "07:30" }]', "every: it is one of day, monday"),
        (22, 'capacity = 1\nschedule = [{ every = "day", at = "7:30" }]', "at: '7:30' is no time"),
        (22, 'capacity = 1\nschedule = [{ every = "day", at = 07:30:00.5 }]', "at: this is no time"),
        (22, 'capacity = 1\nschedule = [{ every = "day" }]', "at is missing"),
        (22, "capacity = 1\nschedule = 5", "schedule: it is a list of tables, each under [[programs.schedule]]"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: int, said: str, reason: str) -> None:
    """A key that is unknown, missing or has a bad value is refused with the line that it is on and the reason (K-2)."""
    lines = GOOD.splitlines()
    lines[line - 1] = said
    place = line + said.count("\n")
    if not said:  # what is missing is missing from its table
        place = max(number for number, text in enumerate(lines[:line], 1) if text.startswith("["))
    told = problems("\n".join(lines))
    assert any(at == place and reason in why for at, why in told), told


def test_the_file_that_the_others_are_changed_from_is_good() -> None:
    """A small file with what has no default is read, and the defaults are those of the tables (K-2)."""
    file = read(GOOD)
    assert (file.business.locale, file.hours) == ("en", ())
    [resource], [service], [program] = file.resources, file.services, file.programs
    assert (resource.capacity, resource.daily_limit, resource.timezone, resource.always_open) == (1, None, None, False)
    assert (service.price, service.payment, service.hold_minutes, service.max_horizon_days) == ("0", "none", 15, 90)
    assert (service.payment_minutes, service.refund_terms()) == (program.payment_minutes, ()) == (30, ())
    assert (service.min_notice_minutes, service.cancel_notice_minutes, service.slot_step_minutes) == (0, 0, None)
    assert (program.uses, program.schedule) == ((), ())


def test_all_problems_are_told_at_once() -> None:
    """Every problem that can be found is in one refusal, in the order of the lines (K-2)."""
    text = (
        GOOD.replace("Europe/Moscow", "Moscow").replace("duration_minutes = 50", "duration = 50")
        + """
[[resources]]
slug = "anna-room"
name = "Again"
kind = "room"
capacity = 5000

[[services]]
slug = "broken"
name = "Broken"
duration_minutes = 50
price = 5.5
requires = [
    ["anna-room"],
    ["bert"],
]

[[programs]]
slug = "group"
name = "Again"
duration_minutes = 60
capacity = 12
uses = ["studio", "anna-room"]
schedule = [
    { every = "day", at = "07:30" },
    { every = "monday", at = "25:00" },
]
"""
    )
    assert problems(text) == [
        (4, "timezone: 'Moscow' is no time zone; write it like Europe/Moscow"),
        (12, "duration_minutes is missing"),
        (15, "unknown key 'duration'; is 'duration_minutes' meant?"),
        (25, "slug: 'anna-room' is given on line 8 already"),
        (28, "capacity: Expected `int` <= 1000"),
        (34, 'price: a price is written in quotes, like "3500.00"'),
        (37, "requires: there is no resource 'bert'"),
        (41, "slug: 'group' is given on line 19 already"),
        (45, "uses: there is no resource 'studio'"),
        (48, "at: '25:00' is no time; write it like \"07:30\""),
    ]


@pytest.mark.parametrize(
    ("added", "line", "reason"),
    [
        ("[[programs]]\nslug = 'x'", 23, "duration_minutes is missing"),
        ("[[programs.schedule]]\nevery = 'day'\nat = '09:00'\n[[programs.schedule]]\nevery = 'friday'\nat = '09:00'",
         23, "two lines of the schedule mean the same start"),
        ("[hours]\nvalid_from = 2027-02-01\nvalid_until = 2027-01-31", 25, "valid_until is before valid_from"),
        ("hours = 5", 23, "unknown key 'hours'"),
        ("[business]", 23, "this is not TOML: cannot declare ('business',) twice"),
        ("oops", 23, "this is not TOML: expected '=' after a key in a key/value pair"),
        ('name = "twice"', 23, "this is not TOML: cannot overwrite a value"),
        ('text = "unfinished', 23, "this is not TOML:"),
        ("number = " + "1" * 5000, 23, "a number is too long"),
        ("deep = " + "[" * 5000 + "]" * 5000, 23, "this is nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_added_is_told_with_its_line(added: str, line: int, reason: str) -> None:
    """What is wrong in an added table is told with its line, also what is no TOML at all (K-2)."""
    assert any(at == line and why.startswith(reason) for at, why in problems(GOOD + added)), problems(GOOD + added)


def test_refunds_are_read_with_the_greatest_notice_first() -> None:
    """What is given back is said in any order, in lines of one list or as tables, and means the same terms (K-2, P-6)."""
    terms = (Term(48, 100), Term(24, 50), Term(0, 0))
    inline = f"refunds = [{refund(24, 50)}, {refund(48, 100)}, {refund(0, 0)}]"
    tables = "".join(f"[[programs.refunds]]\nhours_before = {t.hours_before}\npercent = {t.percent}\n" for t in terms)
    service = read(GOOD.replace("duration_minutes = 50", f"duration_minutes = 50\n{inline}")).services[0]
    program = read(GOOD + tables).programs[0]
    assert service.refund_terms() == program.refund_terms() == terms


def test_the_pool_of_a_service_keeps_its_slug() -> None:
    """A resource cannot have the slug that the pool of a limited service will have (B-2, K-2)."""
    text = GOOD.replace("anna-room", "session-pool")
    assert read(text)
    limited = text.replace("duration_minutes = 50", "duration_minutes = 50\nmax_simultaneous_bookings = 3")
    assert problems(limited) == [(13, "slug: the pool of this service would be 'session-pool', which is a resource")]


def test_lines_count_alike_on_every_system() -> None:
    """Line ends of Windows and a byte order mark change neither what is read nor the lines of problems (K-2)."""
    assert read("\ufeff" + GOOD.replace("\n", "\r\n")) == read(GOOD) == read(GOOD.encode())
    bad = GOOD.replace("Europe/Moscow", "Moscow")
    assert problems("\ufeff" + bad.replace("\n", "\r\n")) == problems(bad) == problems(bad.encode("utf-8-sig"))
    assert problems(GOOD.encode("cp1251")) == [(3, "the file is not UTF-8")]


def test_an_empty_file_is_refused() -> None:
    """A file without a business is refused on its first line (K-2)."""
    assert problems("") == problems("# nothing\n") == [(1, "business is missing")]


def rules_of(hours: str, resource: str = "") -> list[WeeklyRule]:
    """Return the weekly rules of the resource of a file with these hours."""
    file = read(GOOD.replace('kind = "room"', f'kind = "room"\n{resource}') + hours)
    return file.resources[0].rules(file.hours)


def test_hours_are_those_of_the_resource_or_of_all() -> None:
    """A resource has the hours of [hours], its own instead if it names some, and none if it is always open (A-1)."""
    every_day = '[hours]\nevery_day = ["09:00-21:00"]'
    assert rules_of(every_day) == [WeeklyRule(weekday, time(9), time(21)) for weekday in range(7)]
    assert rules_of(every_day, 'hours.monday = ["10:00-11:00"]') == [WeeklyRule(0, time(10), time(11))]
    assert rules_of(every_day, "hours = []") == rules_of(every_day, "always_open = true") == rules_of("") == []


def test_a_named_day_has_its_own_hours() -> None:
    """A named day has its own hours instead of every day's; windows, nights and seasons can be said (A-1)."""
    hours = """
[[hours]]
every_day = ["09:00-13:00", "14:00-24:00"]
tuesday = ["20:00-02:00"]
wednesday = []
valid_until = 2027-05-31
[[hours]]
friday = [ "09:00:30-10:00" ]
valid_from = "2027-06-01"
"""
    found = rules_of(hours)
    spring = {"valid_until": date(2027, 5, 31)}
    assert [rule for rule in found if rule.weekday == 0] == [
        WeeklyRule(0, time(9), time(13), **spring),
        WeeklyRule(0, time(14), time(0), **spring),
    ]
    assert [rule for rule in found if rule.weekday == 1] == [WeeklyRule(1, time(20), time(2), **spring)]
    assert [rule for rule in found if rule.weekday == 2] == []
    assert found[-1] == WeeklyRule(4, time(9, 0, 30), time(10), date(2027, 6, 1))


def test_overrides_close_a_date_or_open_it_otherwise() -> None:
    """An override without hours closes its date; with some it opens at those (A-1)."""
    file = read(
        GOOD
        + """
[[resources]]
slug = "other"
name = "Other"
kind = "practitioner"
[[resources.overrides]]
date = 2027-01-01
hours = []
[[resources.overrides]]
date = "2027-01-02"
hours = ["10:00-12:00", "13:00-14:00"]
"""
    )
    assert [each for override in file.resources[1].overrides for each in override.overrides()] == [
        Override(date(2027, 1, 1)),
        Override(date(2027, 1, 2), time(10), time(12)),
        Override(date(2027, 1, 2), time(13), time(14)),
    ]


def test_the_demo_is_the_example() -> None:
    """The demo business is the example that the repository shows, and it can be read (K-4)."""
    file = read(demo_text())
    assert (file.business.slug, file.business.name) == ("emotional-balance", "Эмоциональный баланс")
