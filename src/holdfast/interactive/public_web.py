"""What anybody may do: see a published quiz or ritual, begin a run of it, finish the run."""

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import tenancy_of
from holdfast.identity.calls import Call, id_named, name_named
from holdfast.interactive import runs
from holdfast.interactive.runs import PublicInteractive, Result, StartedRun
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.http import Line, decode, json_response, public_response

# No error repeats a word of it; see runs.py.
Answers = Annotated[dict[str, str], msgspec.Meta(max_length=100)]


class StartBody(msgspec.Struct):
    """A run of a quiz or ritual; `business` is a slug or an id."""

    business: Line | None = None


class FinishBody(msgspec.Struct):
    """The end of a run: of a quiz, the id of an option for the id of each question; of a ritual, nothing."""

    answers: Answers = {}
    business: Line | None = None


@get(
    "/api/public/interactives/{slug:str}",
    opt=documented(query=("business",), headers=("If-None-Match",), answers=PublicInteractive),
)
async def public_interactive(request: Call, slug: FromPath[str]) -> Response[bytes]:
    """Return a published quiz or ritual, without what answers count for."""
    business = await tenancy_of(request).named(request.query_params.get("business"))
    async with _database(request).reading(business.id) as tx:
        return public_response(request, await runs.published(tx, name_named(slug)))


@post("/api/public/interactives/{slug:str}/runs", opt=documented(StartBody, answers=StartedRun))
async def start_run(request: Call, slug: FromPath[str]) -> Response[bytes]:
    """Begin a run."""
    data = decode(StartBody, await request.body())
    business = await tenancy_of(request).named(data.business)
    async with _database(request).transaction(business.id) as tx:
        return json_response(await runs.start(tx, name_named(slug)), 201)


@post(
    "/api/public/interactives/{slug:str}/runs/{run_id:str}/finish",
    status_code=200,
    opt=documented(FinishBody, answers=Result),
)
async def finish_run(request: Call, slug: FromPath[str], run_id: FromPath[str]) -> Response[bytes]:
    """Finish a run and learn its result; repeated, it returns the same. Answers are not kept."""
    data = decode(FinishBody, await request.body())
    business = await tenancy_of(request).named(data.business)
    async with _database(request).transaction(business.id) as tx:
        return json_response(await runs.finish(tx, name_named(slug), id_named(run_id), data.answers))


handlers = [public_interactive, start_run, finish_run]


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
