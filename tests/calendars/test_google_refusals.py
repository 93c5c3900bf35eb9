"""What the adapter for Google makes of refusals and failures."""

import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from calendars.google.adapter import looked, opened, own_event
from calendars.google.fake import FakeGoogle
from holdfast.calendars import google_api
from holdfast.calendars.port import NeedsReconnect, QuotaExceeded, Refused, Unreachable
from holdfast.kernel.patience import after_failure, seconds_asked


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (403, "rateLimitExceeded", QuotaExceeded),
        (403, "userRateLimitExceeded", QuotaExceeded),
        (429, "rateLimitExceeded", QuotaExceeded),
        (429, "anything", QuotaExceeded),
        (500, "backendError", Unreachable),
        (502, "badGateway", Unreachable),
        (503, "backendError", Unreachable),
        (504, "gatewayTimeout", Unreachable),
        (403, "quotaExceeded", Refused),
        (403, "forbidden", Refused),
        (403, "insufficientPermissions", Refused),
        (403, "accessNotConfigured", Refused),
        (400, "badRequest", Refused),
    ],
)
async def test_a_refusal_passes_by_itself_or_not(
    google: FakeGoogle, status: int, reason: str, error: type[Exception]
) -> None:
    """Being asked too often, and failures of Google, pass by themselves; another 403 does not (C-3, calendars 16)."""
    calendar = google.calendar()
    google.faults.fail(status, reason, retry_after="7", times=3)
    async with opened(google) as adapter:
        for asked in (looked(adapter, calendar.id), adapter.put(calendar.id, own_event(), None), adapter.calendars()):
            with pytest.raises(error) as met:
                await asked
            assert type(met.value) is error
            if isinstance(met.value, Unreachable):
                assert met.value.retry_after == 7
                assert after_failure(1, met.value.retry_after) == 7
    assert calendar.live() == {}
    assert len(google.calls) == 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 86_400),
        ("²", None),
        ("", None),
    ],
)
def test_how_long_to_wait_is_a_number(text: str | None, seconds: float | None) -> None:
    """Retry-After in seconds is obeyed, up to a day; what is no number and no date is as if it were absent (C-3, calendars 16)."""
    assert seconds_asked(text) == seconds


def test_how_long_to_wait_may_be_a_date() -> None:
    """Retry-After may name the time; one that is past asks for nothing (C-3, calendars 16)."""
    now = datetime.now(UTC)
    asked = seconds_asked(format_datetime(now + timedelta(hours=2), usegmt=True))
    assert asked is not None
    assert 3_600 < asked <= 7_200
    assert seconds_asked(format_datetime(now - timedelta(hours=2), usegmt=True)) == 0
    assert seconds_asked(format_datetime(now + timedelta(days=9_000), usegmt=True)) == 86_400


@pytest.mark.parametrize("after", [False, True])
async def test_a_connection_that_breaks_is_no_answer(google: FakeGoogle, *, after: bool) -> None:
    """Without an answer nobody knows what has happened: it is to be tried again (C-3, calendars 16)."""
    google.calendar()
    google.faults.cut(after=after)
    async with opened(google) as adapter:
        with pytest.raises(Unreachable):
            await adapter.calendars()
        assert len(await adapter.calendars()) == 1


@pytest.mark.parametrize(
    ("limit", "seconds", "told"),
    [("_TIMEOUT", httpx2.Timeout(0.05), "ReadTimeout"), ("_EXCHANGE_SECONDS", 0.05, "TimeoutError")],
)
async def test_an_answer_that_takes_too_long_is_none(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, limit: str, seconds: object, told: str
) -> None:
    """Nobody waits for ever, neither for the next byte nor for the last (C-3, calendars 16)."""
    monkeypatch.setattr(google_api, limit, seconds)
    google.calendar()
    gate = google.faults.hold(only="calendar.calendarList")
    async with opened(google) as adapter:
        with pytest.raises(Unreachable, match=told):
            await adapter.calendars()
    assert gate.arrived.is_set()


async def test_a_server_that_is_not_there_is_unreachable(google: FakeGoogle) -> None:
    """Where nobody listens, it is to be tried again (C-3, calendars 16)."""
    async with opened(google) as adapter:
        adapter._api._url = "http://127.0.0.1:9/calendar/v3"
        with pytest.raises(Unreachable, match="ConnectError"):
            await adapter.calendars()


async def test_a_token_that_is_refused_is_renewed_once(google: FakeGoogle) -> None:
    """401 asks for another token once; when there is none, the owner has to connect again (C-1, calendars 17)."""
    google.calendar()
    google.oauth.expire_access_tokens()
    async with opened(google) as adapter:
        google.oauth.expire_access_tokens()
        with pytest.raises(NeedsReconnect):
            await adapter.calendars()
    assert [call.status for call in google.calls] == [401]


async def test_errors_quote_nothing_of_what_was_sent(google: FakeGoogle) -> None:
    """The text and the trace of an error have neither token nor address nor body (C-7, calendars 20)."""
    calendar = google.calendar()
    event = own_event()
    google.faults.fail(400, "invalid")
    google.faults.cut(after=False)
    google.faults.fail(503)
    async with opened(google) as adapter:
        token = await adapter._grant.access_token()
        texts = []
        for _ in range(3):
            try:
                await adapter.put(calendar.id, event, None)
            except (Refused, Unreachable) as met:
                texts.append("".join(traceback.format_exception(met)) + repr(met))
    assert len(texts) == 3
    for text in texts:
        for private in (token, calendar.id, calendar.id.replace("@", "%40"), event.title, event.event_id, google.url):
            assert private not in text
