"""Applications in the process of the tests: building one takes a second, so whoever is done with it leaves it to the next."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from holdfast import config, web

# Built and closed, by what they were built with; the longest unused goes first, since databases of one test do not come back.
_MOST_KEPT = 12
_closed: OrderedDict[tuple[config.Settings, str], Litestar] = OrderedDict()


@asynccontextmanager
async def opened(settings: config.Settings, app_dsn: str) -> AsyncIterator[Litestar]:
    """Open an application that nobody else has meanwhile; what it knows beside its routes is made anew each time."""
    app = _closed.pop((settings, app_dsn), None) or web.build(settings, app_dsn)
    async with app.lifespan():
        yield app
    _closed[settings, app_dsn] = app
    if len(_closed) > _MOST_KEPT:
        _closed.popitem(last=False)


@asynccontextmanager
async def kept_open(settings: config.Settings, app_dsn: str) -> AsyncIterator[Litestar]:
    """Do the same for a fixture, whose end runs in another task than its beginning: here one task opens and closes."""
    ready: asyncio.Future[Litestar] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def live() -> None:
        async with opened(settings, app_dsn) as app:
            ready.set_result(app)
            await over.wait()

    life = asyncio.create_task(live())
    await asyncio.wait([life, ready], return_when=asyncio.FIRST_COMPLETED)
    if life.done():
        await life
    try:
        yield ready.result()
    finally:
        over.set()
        await life
