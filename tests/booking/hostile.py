"""What nobody should send: bodies, values, queries, names and headers, as a table."""

from booking.served import Clients, Json

# Bodies that are no JSON object of any shape.
NOT_OBJECTS = {
    "half": b"{",
    "list": b"[]",
    "nothing": b"null",
    "text": b'"reserve"',
    "number": b"12",
    "comma": b'{"a": 1,}',
    "comment": b'{"a": 1 /* one */}',
    "two": b"{}{}",
    "not a number": b'{"partySize": NaN}',
    "infinite": b'{"partySize": Infinity}',
    "NUL": b"\x00",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a mark before it": b"\xef\xbb\xbf{}",
    "lists in lists": b'{"a": ' + b"[" * 30_000,
    "lists in lists, closed": b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "objects in objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a form": b"guestEmail=a%40b.c&partySize=1",
    "a page": b"<!doctype html><title>reserve</title>",
}

# Texts that are none, as the inside of a JSON string.
NOT_TEXTS = {
    "control": b"\x01",
    "not UTF-8": b"\xff\xfe",
    "a surrogate as UTF-8": b"\xed\xa0\x80",
    "half a surrogate pair": b"\\ud800",
    "the other half": b"\\udc00 ",
    "the halves swapped": b"\\udc00\\ud800",
    "NUL": b"a\\u0000b",
    "no escape": b"\\x41",
}

# Values of a member that is a text, a number, an id or a time: some are right for some members.
VALUES = [
    *(0, -1, 1, 13, 1_000_000, 10**9, 2**31, 2**63, 10**30, -(10**30), 1.5, -0.0, 1e308, True, False),
    *("", " ", "0", "1", "x", "x" * 201, "x" * 60_000, "a\x00b", "\x07", "\u202e", "\U0001f600" * 100, "null", "é"),
    *([], {}, [None], {"a": {"b": []}}, [[]], "{}", "' or 1=1 --", "%s", "{0}", "../../etc/passwd", "${x}"),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "1" * 32, "{" + "1" * 36 + "}"),
    *("2026-12-01T10:00:00Z", "2026-12-01", "10:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "now"),
]

# Times that are no time, or none that could ever be offered.
TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
    "1582-10-10T10:00:00Z",
    "1970-01-01T00:00:00Z",
    "2262-04-12T00:00:00Z",
    "2026-12-01T10:00:00",
    "2026-12-01T10:00:00+14:00",
    "2026-12-01T10:00:00-12:00",
    "2026-12-01T10:00:00+24:00",
    "2026-12-01T10:00:00+99:99",
    "2026-12-01T10:00:00 03:00",
    "2026-12-01T10:00:00[Europe/Moscow]",
    "2026-12-01T10:00:00.000001Z",
    "2026-12-01T10:00:00.5+03:00",
    "2026-12-01T24:00:00Z",
    "2026-12-01T23:59:60Z",
    "2026-02-30T10:00:00Z",
    "2026-13-01T10:00:00Z",
    "2026-12-01",
    "20261201T100000Z",
    "2026-12-01T10:00Z",
    "-2026-12-01T10:00:00Z",
    "12026-12-01T10:00:00Z",
    "tomorrow",
    "",
    "٢٠٢٦-١٢-٠١T10:00:00Z",
]

ZONES = [
    *(
        "",
        "Mars/Olympus",
        "europe/moscow",
        "Europe/Moscow ",
        "UTC+3",
        "+03:00",
        "GMT+25",
        "Europe",
        "Europe/",
        "/etc/passwd",
    ),
    *("../zoneinfo/UTC", "localtime", "posixrules", "Factory", "a\x00b", "Europe/Moscow\n", "x" * 300, "Ёвропа/Москва"),
]

# Percent-encoded, as they stand in a query or a path.
TEXTS = [
    *(
        "%00",
        "a%00b",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "%",
        "%zz",
        "%2",
        "%u0041",
        "+",
        "%20",
        "%0d%0a",
        "..",
        "%2e%2e%2f",
    ),
    *(
        "%5c",
        "%3Cscript%3E",
        "%27%20or%201=1",
        "-1",
        "0",
        "1e9",
        "%D9%A3",
        "9" * 400,
        "x" * 20_000,
        "null",
        "%F0%9F%98%80",
    ),
]

HEADERS = {
    "long": {"X-Long": "y" * 60_000},
    "many": {f"X-{n}": "y" for n in range(80)},
    "not UTF-8": {"X-Odd": b"\xff\xfe", "User-Agent": b"\x80"},
    "languages": {"Accept-Language": "q=," * 2_000, "Accept": "application/xml"},
    "hosts": {"Host": "evil.example.org:99999", "X-Forwarded-Host": "evil.example.org"},
    "tags": {"If-None-Match": '"' * 500, "If-Match": "*"},
    "encoded": {"Content-Encoding": "gzip", "Accept-Encoding": "identity;q=0"},
    "ranges": {"Range": "bytes=-1", "Expect": "nothing"},
    "tokens": {"Booking-Token": "t" * 5_000, "Authorization": "Bearer " + "t" * 5_000, "Cookie": "a=b;" * 500},
}

TYPES = [
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "x",
    "a/b/c",
]


def targets(clients: Clients, held: Json, made: Json) -> dict[str, tuple[str, str, Json]]:
    """Return method, path and a good body of each call that takes one, on a live hold and an appointment."""
    reservation, appointment = held["reservationId"], made["appointmentId"]
    place = {"serviceId": held["serviceId"], "slotStart": held["start"], "slotEnd": held["end"]}
    guest = {"guestEmail": "guest@example.org"}
    token = {"cancellationToken": made["cancellationToken"]}
    return {
        "reserve": ("POST", "/api/booking/reserve", place),
        "book": ("POST", "/api/booking/book", place | guest),
        "commit": ("POST", "/api/booking/commit", {"reservationId": "0" * 32} | guest),
        "series": ("POST", "/api/booking/series", place | {"rule": "FREQ=DAILY;COUNT=2"}),
        "wait": ("POST", "/api/public/booking/waitlist", {"scheduleId": "0" * 32} | guest),
        "extend": ("POST", f"/api/booking/reservations/{reservation}/extend", {}),
        "change": ("PATCH", f"/api/booking/appointments/{appointment}", {"guestName": "B"}),
        "cancel": ("POST", f"/api/booking/appointments/{appointment}/cancel", token | {"expectedVersion": 0}),
    }
