"""Pictures of pages, for whoever makes them.

    .venv/bin/python tests/browser/looking.py [--phone] [--ru] [--dark] [--email E --password P] ADDRESS FILE.png
    .venv/bin/python tests/browser/looking.py --practice [--phone] [--ru] [--dark] FOLDER [PART OF THE PATH]
    .venv/bin/python tests/browser/looking.py --practice

The first takes one of a server that runs, signed in where it is told how. The second serves the furnished practice of the
tests and takes one of each page of pages_list.py, or of those whose path has the part. The third serves that practice until
Ctrl-C, to be looked at by hand.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

sys.path[0] = str(Path(__file__).parents[1])

import httpx  # noqa: E402 - what follows is found in the folder of the tests
from playwright.async_api import Browser  # noqa: E402

from browser.chromium import DESK, PHONE, Manner, chromium, visit  # noqa: E402
from browser.furnished import PASSWORD, ROLES, Place, furnished  # noqa: E402
from browser.pages_list import PAGES  # noqa: E402


def main() -> None:
    """Take what is asked for."""
    asked = _asked()
    manner = Manner("ru" if asked.ru else "en", "dark" if asked.dark else "light", PHONE if asked.phone else DESK)
    if not asked.practice:
        if len(asked.what) != 2:
            raise SystemExit(__doc__)
        asyncio.run(_take_one(asked, manner))
        return
    with tempfile.TemporaryDirectory() as folder, furnished(Path(folder) / "data") as place:
        if asked.what:
            asyncio.run(_take_all(place, manner, Path(asked.what[0]), *asked.what[1:]))
        else:
            _wait(place)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag in ("--phone", "--ru", "--dark", "--practice"):
        parser.add_argument(flag, action="store_true")
    for name in ("--email", "--password"):
        parser.add_argument(name)
    parser.add_argument("what", nargs="*")
    return parser.parse_args()


async def _take_one(asked: argparse.Namespace, manner: Manner) -> None:
    address, file = asked.what
    parts = urlsplit(address)
    url = f"{parts.scheme}://{parts.netloc}"
    cookies = {}
    if asked.email:
        answer = httpx.post(f"{url}/api/public/login", json={"email": asked.email, "password": asked.password})  # noqa: ASYNC210
        cookies = dict(answer.raise_for_status().cookies)
    async with chromium() as browser:
        await _take(browser, url, address, manner, cookies, Path(file))


async def _take_all(place: Place, manner: Manner, folder: Path, part: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    async with chromium() as browser:
        for address in PAGES:
            if part in address.path:
                name = re.sub(r"\W+", "-", f"{address.role or 'public'}{address.path}").strip("-")
                cookies = place.logins[address.role] if address.role else {}
                path = address.filled(place.names)
                await _take(browser, place.url, path, manner, cookies, folder / f"{name}.png")


async def _take(browser: Browser, url: str, path: str, manner: Manner, cookies: dict[str, str], file: Path) -> None:
    async with visit(browser, url, manner, cookies) as opened:
        status = await opened.open(path)
        await opened.page.screenshot(path=file, full_page=True)
        sys.stdout.write("\n".join([f"{status} {path} -> {file}", *(f"  {one}" for one in await opened.amiss()), ""]))


def _wait(place: Place) -> None:
    people = ", ".join(f"{role}@linden.test" for role in ROLES)
    sys.stdout.write(f"{place.url}/linden/booking/slot\n{place.url}/admin/ as {people} with: {PASSWORD}\n")
    sys.stdout.write("".join(f"  {name} = {value}\n" for name, value in place.names.items()))
    sys.stdout.flush()
    try:
        place.instance.process.wait()
    except KeyboardInterrupt:
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
