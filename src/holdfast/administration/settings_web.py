"""Settings and flags over HTTP."""

from typing import Annotated

import msgspec
from litestar import Response, get, put
from litestar.params import FromPath

from holdfast.administration import settings
from holdfast.administration.settings import Value
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.http import Instant, decode, json_response

Text = Annotated[str, msgspec.Meta(max_length=1_000)]
Reason = Annotated[str, msgspec.Meta(max_length=2_000)]


class SettingView(msgspec.Struct, rename="camel", kw_only=True):
    """A setting: what it is, what it is by default, and what it may be.

    `choice` lists the words of a flag or a word, of a number the least and the greatest. `enabled` says of a flag
    whether it is on at this server.
    """

    key: str
    type: str
    meaning: str
    value: bool | int | str
    default: bool | int | str
    choice: list[int | str]
    changed_at: Instant | None
    enabled: bool | None


class SettingsView(msgspec.Struct):
    """Every setting of the business; `stage` says what kind of server answers."""

    stage: str
    settings: list[SettingView]


class SettingBody(msgspec.Struct):
    """The value that a setting is to have; null or nothing for its default."""

    value: bool | int | Text | None = None
    reason: Reason | None = None


@get(
    "/api/admin/settings",
    guards=[Needs(Permission.READ_SETTINGS)],
    opt=documented(answers=SettingsView, security="StaffKey"),
)
async def read_settings(request: Call) -> Response[bytes]:
    """Return every setting and flag of the business."""
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        found = await settings.values_of(tx)
    stage = request.app.state.stage
    return json_response(SettingsView(stage, [_shown(value, stage) for value in found]))


@put(
    "/api/admin/settings/{key:str}",
    guards=[Needs(Permission.READ_SETTINGS)],
    opt=documented(SettingBody, answers=SettingView, security="StaffKey"),
)
async def change_setting(request: Call, key: FromPath[str]) -> Response[bytes]:
    """Change a setting or a flag of the business, or set it back to its default.

    Each setting says who may change it.
    """
    data = decode(SettingBody, await request.body())
    staff = staff_of(request)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        changed = await settings.change(tx, key, data.value, staff, data.reason)
    return json_response(_shown(changed, request.app.state.stage))


handlers = [read_settings, change_setting]


def _shown(value: Value, stage: settings.Stage) -> SettingView:
    setting = value.setting
    return SettingView(
        key=setting.key,
        type=setting.type,
        meaning=setting.meaning,
        value=value.value,
        default=setting.default,
        choice=list(setting.choice),
        changed_at=value.changed_at,
        enabled=settings.is_on(value.value, stage) if setting.type == "flag" else None,
    )
