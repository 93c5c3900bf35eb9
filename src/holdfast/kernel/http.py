"""Bodies in, problems out: how every edge reads JSON and shows errors (H-1)."""

import hashlib
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException

from holdfast.kernel.about import CODE, instance_of_request, note
from holdfast.kernel.bodies import allowed_words, without_nulls
from holdfast.kernel.errors import BodyTooLarge, NotFound, TryLater, UserError, ValidationFailed
from holdfast.kernel.figures import Counter
from holdfast.kernel.head import allowed

REFUSALS = Counter("holdfast_refusals", "Answers with an error, by its code", ("code",), known=[("outcome_unknown",)])

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_BODY_BYTES = 65_536
MAX_KEY_LENGTH = 200
# A week of opening hours has some hundred.
_MAX_FIELDS = 1_000

_words: dict[str, str] = {}


def worded(pattern: str, words: str) -> str:
    """Return a pattern; what does not match it is told in these words, since clients do not read patterns."""
    _words[repr(pattern)] = words
    return pattern


# Text that PostgreSQL can store and that fits on a screen: no NUL, no other control characters.
_LINE = worded(r"^[^\x00-\x1f\x7f]*$(?![\s\S])", "must not have control characters")
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_LINE)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY_LENGTH, pattern=_LINE)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# The name of something in an address.
Slug = Annotated[
    str,
    msgspec.Meta(
        max_length=120,
        pattern=worded(
            r"^[a-z0-9]+(-[a-z0-9]+)*$(?![\s\S])", "must be words of small letters and digits, joined by hyphens"
        ),
    ),
]

_encoder = msgspec.json.Encoder(enc_hook=str)
encode_plain = _encoder.encode
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

_CODES = {
    HTTPStatus.BAD_REQUEST: "validation_failed",
    HTTPStatus.UNAUTHORIZED: "authentication_required",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}

# What we say better than the framework.
_OUR_WORDS: dict[int, type[UserError]] = {404: NotFound, 413: BodyTooLarge}


def decode(shape: type[T], body: bytes) -> T:
    """Return a JSON body as an object; strictly, so that a number never passes for a time or a text for a number.

    A member that is null is as if it were absent, and an empty body is an empty object. Raises ValidationFailed, which
    names the member.
    """
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        try:
            return decoder.decode(body or b"{}")  # type: ignore[no-any-return]
        except msgspec.ValidationError as invalid:
            if "got `null`" not in str(invalid):
                raise
            return decoder.decode(without_nulls(shape, body))  # type: ignore[no-any-return]
    except msgspec.ValidationError as invalid:
        # A wrong name in an object of names is told of that object.
        told = str(invalid).replace(" - at `key` in `$", " - at `$")
        problem, _, path = told.partition(" - at `$")
        _, unmatched, pattern = problem.partition(" matching regex ")
        if unmatched:
            # A pattern is for machines; what it allows is in the document of the API.
            problem = _words.get(pattern, "is not written as this member has to be")
        if problem.startswith(("Invalid enum value", "Invalid value")):
            # What follows is what was sent, which may be what somebody has confided.
            path = told.rpartition(" - at `$")[2]
            words = allowed_words(shape, path.rstrip("`"))
            problem = f"must be one of {', '.join(words)}" if words else "is none of the words that this member knows"
        field = path.rstrip("`").lstrip(".") or "body"
        raise ValidationFailed.at(field, problem) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as malformed:
        raise ValidationFailed.at("body", f"is not JSON: {malformed}") from None


def decode_form(body: bytes) -> dict[str, str]:
    """Return the fields of an HTML form; the last one of a name counts, control characters go.

    Raises ValidationFailed for what is not a form.
    """
    return {
        name: "".join(c for c in values[-1] if c.isprintable()).strip() for name, values in decode_fields(body).items()
    }


def decode_fields(body: bytes) -> dict[str, list[str]]:
    """Return the fields of an HTML form, each with all its values, as they were typed but for how lines end.

    Raises ValidationFailed for what is not a form.
    """
    try:
        text = body.decode("ascii")
    except ValueError:
        raise ValidationFailed.at("body", "is not a form: it has characters that a form would encode") from None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise ValidationFailed.at("body", "is not a form: its characters are not encoded in UTF-8") from None
    except ValueError:
        raise ValidationFailed.at("body", f"is not a form: it has more than {_MAX_FIELDS} fields") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value.replace("\r\n", "\n"))
    return fields


def path_of(request: Request[Any, Any, Any]) -> str:
    """Return the path of a request, whatever host it names: the framework's address of it fails on one that is none."""
    return str(request.scope["path"])


def query_of(request: Request[Any, Any, Any]) -> str:
    """Return the query of a request, as it was sent."""
    return request.scope["query_string"].decode("latin-1")


def address_of(request: Request[Any, Any, Any]) -> str:
    """Return where a client has reached this server, no path. Raises ValidationFailed for a host that is none."""
    try:
        return str(request.base_url).rstrip("/")
    except ValueError:
        raise ValidationFailed.at("Host", "must be the name of a server, with a port from 1 to 65535 if any") from None


def epoch_seconds(at: datetime, field: str) -> int:
    """Return a whole number of epoch seconds; raises ValidationFailed for a fraction of a second."""
    if at.microsecond:
        raise ValidationFailed.at(field, "must not have a fraction of a second")
    return round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


# No browser takes an answer for anything but what it says it is.
AS_NAMED = {"X-Content-Type-Options": "nosniff"}
_HEADERS = {"Cache-Control": "no-store", **AS_NAMED}


class _Answer(Response[bytes]):
    """An answer that is ready: what its base class would prepare, which is most of its cost, is never asked for."""

    def __init__(self, content: bytes, status: int, media_type: str, headers: dict[str, str] | None) -> None:
        self.content = content
        self.status_code = status
        self.media_type = media_type
        self.headers = {**_HEADERS, **headers} if headers else _HEADERS.copy()
        self.background = None
        self.cookies = []
        self.encoding = "utf-8"
        self.response_type_encoders = {}


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return a JSON answer that no cache keeps unless a header says otherwise."""
    return _Answer(_encoder.encode(content), status, "application/json", headers)


def public_response(request: Request[Any, Any, Any], content: Any, max_age_seconds: int = 60) -> Response[bytes]:
    """Return a JSON answer that is the same for everybody: caches keep it for a minute, then ask by its tag."""
    body = _encoder.encode(content)
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": f"public, max-age={max_age_seconds}"}
    if tag in (request.headers.get("If-None-Match") or ""):
        return _Answer(b"", 304, "application/json", headers)
    return _Answer(body, 200, "application/json", headers)


def count_refusal(code: str) -> None:
    """Count an answer that is an error, in whatever shape, and say so in the line of the request."""
    REFUSALS.add(code)
    note(CODE, code)


def problem(
    status: int, code: str, message: str, details: dict[str, Any], headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Return an error in the one shape of RFC 9457 with code, message and details, and count it."""
    count_refusal(code)
    body: dict[str, Any] = {
        "type": f"urn:holdfast:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        "message": message,
        "details": details,
    }
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and (instance := instance_of_request()):
        # Whoever reports it can name it, and the log has it under this id.
        body["instance"] = instance
    return _Answer(_encoder.encode(body), status, "application/problem+json", headers)


def problem_of(error: UserError) -> Response[bytes]:
    """Return an error that a caller can mend as a problem."""
    return problem(error.status, error.code, error.message, error.details, error.headers)


def render_error(_request: Request[Any, Any, Any] | None, error: Exception) -> Response[bytes]:
    """Return any error as a problem; what nobody foresaw is logged and shown without its details."""
    if isinstance(error, UserError):
        return problem_of(error)
    if isinstance(error, InternalServerException):
        # What the framework says of a client that went away while it was sending.
        return problem(400, "validation_failed", "The request ended before it was complete", {})
    if isinstance(error, HTTPException):
        status = error.status_code
        if status in _OUR_WORDS:
            return problem_of(_OUR_WORDS[status]())
        code = _CODES.get(HTTPStatus(status), "http_error")
        headers = {
            name: allowed(value.split(", ")) if name.lower() == "allow" else value
            for name, value in (error.headers or {}).items()
        }
        return problem(status, code, error.detail, {}, headers)
    if isinstance(error, psycopg.OperationalError):
        log.warning("database_unavailable", error=type(error).__name__)
        away = TryLater()
        return problem(away.status, away.code, away.message, {}, away.headers)
    log.error("unhandled_error", exc_info=error)
    return problem(
        500,
        "internal_error",
        "Something went wrong on our side; look whether the request took effect before repeating it",
        {},
    )
