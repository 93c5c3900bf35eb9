"""Where Google tells that a calendar has changed. A message triggers a look; nothing else of it is believed."""

from litestar import post

from holdfast.booking.calls import Call
from holdfast.calendars.channels import hear
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import uuid_or_none

_CHANNEL, _TOKEN = "X-Goog-Channel-ID", "X-Goog-Channel-Token"
# Longer than any that we have made.
_LONGEST_TOKEN = 256


@post("/api/webhooks/google-calendar", status_code=204, opt=documented(headers=(_CHANNEL, _TOKEN)))
async def calendar_changed(request: Call) -> None:
    """Take in that a calendar has changed.

    Its first message, which says only that the channel exists, counts like any other: between the last look and the
    channel something may have changed. Numbers of messages have gaps and are not looked at.
    """
    channel_id = uuid_or_none(request.headers.get(_CHANNEL) or "")
    token = request.headers.get(_TOKEN) or ""
    if channel_id is None or len(token) > _LONGEST_TOKEN:
        raise NotFound
    await hear(request.app.state.database, channel_id, token)


handlers = [calendar_changed]
