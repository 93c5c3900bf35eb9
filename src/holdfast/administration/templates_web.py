"""Templates of messages over HTTP: read, written in versions, and previewed."""

from typing import Annotated

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath

from holdfast.administration import templates
from holdfast.administration.templates import MESSAGES, Channel, Locale, Template, Text
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.http import Instant, Line, decode, json_response, worded
from holdfast.kernel.lists import number_in

_WRITE = [Needs(Permission.WRITE_TEMPLATES)]
_PATH = "/api/admin/templates"
_ONE = f"{_PATH}/{{kind:str}}/{{locale:str}}/{{channel:str}}"
_MAX_VERSION = 999_999_999

Body = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=20_000,
        pattern=worded(
            r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$(?![\s\S])", "must not have control characters other than line breaks"
        ),
    ),
]


class TemplateView(msgspec.Struct, rename="camel", kw_only=True):
    """One version of a template."""

    kind: str
    locale: Locale
    channel: Channel
    version: int
    subject: str | None
    body: str
    written_at: Instant

    @classmethod
    def of(cls, template: Template) -> "TemplateView":
        """Return a template as the API shows it."""
        return msgspec.convert(template, cls, from_attributes=True)


class MessageView(msgspec.Struct):
    """A kind of message, and what may stand in its text."""

    kind: str
    placeholders: list[str]


class TemplatesView(msgspec.Struct):
    """The kinds of messages that there are, and the templates of the business in the versions in use."""

    messages: list[MessageView]
    templates: list[TemplateView]


class TextBody(msgspec.Struct, rename="camel", kw_only=True):
    """A text with placeholders; `expectedVersion` is the version that was seen, 0 for none."""

    subject: Line | None = None
    body: Body
    expected_version: int | None = None


class PreviewBody(msgspec.Struct, rename="camel", kw_only=True):
    """A text that is to be seen before it is written."""

    kind: str
    channel: str
    locale: str = "en"
    subject: Line | None = None
    body: Body


class PreviewView(msgspec.Struct):
    """A text as a client would see it."""

    subject: str | None
    body: str


@get(_PATH, guards=_WRITE, opt=documented(answers=TemplatesView, security="StaffKey"))
async def read_templates(request: Call) -> Response[bytes]:
    """Return the templates of the business, and which messages there are."""
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        found = await templates.in_use(tx)
    messages = [MessageView(kind, sorted(placeholders)) for kind, placeholders in MESSAGES.items()]
    return json_response(TemplatesView(messages, [TemplateView.of(template) for template in found]))


@get(_ONE, guards=_WRITE, opt=documented(query=("version",), answers=TemplateView, security="StaffKey"))
async def read_template(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[bytes]:
    """Return a template in the version in use, or in an earlier one."""
    name = templates.named(kind, locale, channel)
    version = number_in(request.query_params.get("version"), "version", 0, 1, _MAX_VERSION) or None
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        return json_response(TemplateView.of(await templates.find(tx, name, version)))


@put(_ONE, guards=_WRITE, opt=documented(TextBody, answers=TemplateView, security="StaffKey"))
async def write_template(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[bytes]:
    """Write the next version of a template, which is in use at once."""
    data = decode(TextBody, await request.body())
    name, staff = templates.named(kind, locale, channel), staff_of(request)
    text = Text(data.subject, data.body)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        written = await templates.write(tx, name, text, expected_version=data.expected_version, staff=staff)
    return json_response(TemplateView.of(written))


@post(
    f"{_PATH}/preview",
    status_code=200,
    guards=_WRITE,
    opt=documented(PreviewBody, answers=PreviewView, security="StaffKey"),
)
async def preview_template(request: Call) -> Response[bytes]:
    """Show a text with examples in the place of its placeholders; nothing is written."""
    data = decode(PreviewBody, await request.body())
    shown = templates.preview(templates.named(data.kind, data.locale, data.channel), Text(data.subject, data.body))
    return json_response(PreviewView(shown.subject, shown.body))


handlers = [read_templates, preview_template, read_template, write_template]
