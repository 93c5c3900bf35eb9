"""The client for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx2

from holdfast.client import calls, sending, shapes
from holdfast.client.calls import Call
from holdfast.client.repeating import Patience, course

T = TypeVar("T")

_PATIENCE = Patience()


class AsyncClient:
    """A client of one server, and of one of its businesses if it is named by its slug.

    `api_key` is that of staff. Close it, or use it in `async with`. Each method raises Refused (SlotTaken, NotThere,
    Changed) when the server says no, Unavailable when it was not reached in time and nothing was changed,
    OutcomeUnknown when it may have been, and Unreadable for what is no such server. Whatever changes something is known
    to the server by a key, so that it takes effect once, however often it is sent; pass a `key` of your own where a
    later process might have to ask again.
    """

    def __init__(
        self,
        url: str,
        *,
        business: str | None = None,
        api_key: str | None = None,
        patience: Patience = _PATIENCE,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._http = httpx2.AsyncClient(**sending.settings(url, api_key, timeout_seconds))
        self._slug, self._patience, self._timeout_seconds = business, patience, timeout_seconds
        self._business_id: UUID | None = None

    async def __aenter__(self) -> Self:
        """Use it for the time of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def business(self, slug: str | None = None) -> shapes.Business:
        """Return the public card of a business: services, resources and programs with their ids."""
        slug = slug or self._slug
        if slug is None:
            raise ValueError("name a business: AsyncClient(url, business='its-slug')")
        card = await self._do(calls.business(slug))
        if slug == self._slug:
            self._business_id = card.id
        return card

    async def slots(
        self,
        service: str,
        *,
        since: date | None = None,
        until: date | None = None,
        timezone: str | None = None,
        resource: UUID | None = None,
        party_size: int | None = None,
    ) -> shapes.Slots:
        """Return the free times of the service of a slug, by days of a zone (an IANA name; that of the business)."""
        return await self._do(
            calls.slots(
                service,
                business=self._slug,
                since=since,
                until=until,
                timezone=timezone,
                resource=resource,
                party_size=party_size,
            )
        )

    async def schedules(self, program: str) -> AsyncIterator[shapes.Schedule]:
        """Go through the coming dates of the program of a slug."""
        cursor = None
        while True:
            page = await self._do(calls.schedules(program, business=self._slug, cursor=cursor))
            for each in page.schedules:
                yield each
            if (cursor := page.next_cursor) is None:
                return

    async def reserve(
        self,
        *,
        service: UUID | None = None,
        schedule: UUID | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        resource: UUID | None = None,
        party_size: int | None = None,
        minutes: int | None = None,
        key: str | None = None,
    ) -> shapes.Reservation:
        """Hold a time of a service, or places of a schedule, for so many minutes."""
        wish = calls.wish(await self._own(), service, schedule, start, end, resource, party_size, minutes)
        return await self._do(calls.reserve(wish, key=key))

    async def extend(self, reservation: UUID, *, minutes: int | None = None) -> shapes.Reservation:
        """Hold a place for so many minutes more, counted from now."""
        return await self._do(calls.extend(reservation, minutes=minutes, business_id=await self._own()))

    async def release(self, reservation: UUID) -> None:
        """Give a held place back."""
        await self._do(calls.release(reservation, business_id=await self._own()))

    async def commit(
        self,
        reservation: UUID,
        *,
        email: str,
        name: str | None = None,
        phone: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
    ) -> shapes.Booked:
        """Turn a reservation into an appointment."""
        return await self._do(
            calls.commit(reservation, calls.guest(await self._own(), email, name, phone, locale, timezone))
        )

    async def book(
        self,
        *,
        email: str,
        name: str | None = None,
        phone: str | None = None,
        locale: str | None = None,
        timezone: str | None = None,
        service: UUID | None = None,
        schedule: UUID | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        resource: UUID | None = None,
        party_size: int | None = None,
        key: str | None = None,
    ) -> shapes.Booked:
        """Make an appointment at once."""
        wish = calls.wish(await self._own(), service, schedule, start, end, resource, party_size, None)
        guest = calls.guest(None, email, name, phone, locale, timezone)
        return await self._do(calls.book({**guest, **wish}, key=key))

    async def appointment(self, id_: UUID, *, token: str | None = None) -> shapes.Appointment:
        """Return an appointment: its client's with their token, any of the business with the key of staff."""
        return await self._do(calls.appointment(id_, token=token, business_id=await self._own()))

    async def appointments(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        contact: str | None = None,
        status: str | None = None,
    ) -> AsyncIterator[shapes.Appointment]:
        """Go through the appointments that begin in a range, in order of time; this is for staff."""
        asked = {"from": since, "to": until, "contact": contact, "status": status, "businessId": await self._own()}
        cursor = None
        while True:
            page = await self._do(calls.appointments({**asked, "cursor": cursor}))
            for each in page.appointments:
                yield each
            if (cursor := page.next_cursor) is None:
                return

    async def move(
        self,
        appointment: UUID,
        *,
        version: int,
        start: datetime | None = None,
        end: datetime | None = None,
        schedule: UUID | None = None,
        resource: UUID | None = None,
        token: str | None = None,
        key: str | None = None,
    ) -> shapes.Appointment:
        """Move an appointment from the state that `version` names to another time, or another date of its program."""
        change = calls.wish(await self._own(), None, schedule, start, end, resource, None, None)
        return await self._do(calls.move(appointment, change, version=version, token=token, key=key))

    async def cancel(
        self,
        appointment: UUID,
        *,
        version: int | None = None,
        reason: str | None = None,
        token: str | None = None,
        key: str | None = None,
    ) -> shapes.Cancelled:
        """Cancel an appointment; staff name the version that they saw."""
        change = {"reason": reason, "businessId": await self._own()}
        return await self._do(calls.cancel(appointment, change, version=version, token=token, key=key))

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """Call what has no method here (`/schema` lists it) and return the JSON of the answer.

        It is repeated like everything else: change something this way only where its description has an idempotency
        key, or where twice is as good as once.
        """
        return await self._do(calls.anything(method, path, params=params or {}, body=body, key=key))

    async def _own(self) -> UUID | None:
        if self._slug is not None and self._business_id is None:
            await self.business()
        return self._business_id

    async def _do(self, call: Call[T]) -> T:
        way = course(call, self._patience)
        pause = next(way)
        while True:
            if pause:
                await asyncio.sleep(pause)
            try:
                async with self._http.stream(**sending.request_of(call)) as answer:
                    heard = sending.Hearing(self._timeout_seconds)
                    async for chunk in answer.aiter_bytes():
                        heard.take(chunk)
                reply = heard.reply(answer)
            except httpx2.RequestError as error:
                reply = sending.no_reply(error)
            try:
                pause = way.send(reply)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
