"""`payments`: what of money can be set going again from a console."""

from typing import Annotated

import msgspec
import typer

from holdfast.cli.options import (
    DataDir,
    Dsn,
    Json,
    OfBusiness,
    business_named,
    instant_of,
    settings_of,
    with_personal_data,
)
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import uuid_or_none
from holdfast.payments import inbox
from holdfast.payments.inbox import Replayed
from holdfast.payments.port import ProviderName

app = typer.Typer(help="Payments, and what their providers have told.", no_args_is_help=True)


@app.command(name="replay")
def replay_events(
    business: OfBusiness = None,
    since: Annotated[
        str | None,
        typer.Option(help="All events received since this time (ISO 8601, UTC unless it says otherwise)."),
    ] = None,
    event: Annotated[str | None, typer.Option("--id", help="This event, by its id in the inbox.")] = None,
    provider: Annotated[ProviderName | None, typer.Option(help="Those of one provider.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which it would be, and change nothing.")] = False,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Have a business's events acted upon again: without --since or --id those that are not processed yet.

    Harmless however often: an event only has its payment compared with the provider. A worker does it within seconds.
    Exit code 0: done, also when there was none; 2: it could not be done, or there is no such event.
    """
    settings = settings_of(data, dsn)
    event_id = None if event is None else uuid_or_none(event)
    if event is not None and event_id is None:
        raise NotFound(f"There is no event {event}")
    at = None if since is None else instant_of(since)

    async def work(tx: Transaction) -> list[Replayed]:
        owner = await business_named(tx, business or settings.default_business)
        own = await tx.act_for(owner.id)
        return await inbox.replay(own, since=at, event_id=event_id, provider=provider, only_tell=dry_run)

    found = with_personal_data(settings, work)
    if as_json:
        print(msgspec.json.encode({"events": found, "dryRun": dry_run}).decode())  # noqa: T201
        return
    for each in found:
        print(f"{each.id}  {each.provider:8}  {each.outcome or 'not processed':14}  {each.type}")  # noqa: T201
    print(f"{len(found)} events {'would be ' if dry_run else ''}replayed")  # noqa: T201
