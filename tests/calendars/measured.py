"""A process that looks at two calendars and says how much memory the second look has taken.

python measured.py, with the parameters as JSON on its standard input.
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

from holdfast.administration.settings import Stage
from holdfast.calendars import mirror
from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.calendars.providers import Providers
from holdfast.calendars.settings import GoogleSettings
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring


def kilobytes(name: str) -> int:
    """Return a figure that the kernel keeps of this process."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1])


def forget_peak() -> None:
    """Let the kernel measure the peak anew from here."""
    Path("/proc/self/clear_refs").write_text("5")


async def main() -> None:
    """Look at a small calendar, which loads everything that looking needs, then at the large one."""
    given = json.load(sys.stdin)
    google = GoogleSettings(**given["google"])
    uri = given["uri"]
    database = Database(uri, min_connections=1, max_connections=4, keyring=Keyring(bytes.fromhex(given["key"]), uri))

    def opening(business_id: UUID, connection: Connection) -> GoogleCalendar:
        return GoogleCalendar(google, StoredGrant(database, GoogleOAuth(google), business_id, connection), None)

    providers = Providers({ProviderName.GOOGLE: opening})
    await database.open()
    business_id, small, large = UUID(given["business"]), UUID(given["small"]), UUID(given["large"])
    assert await mirror.sync(database, providers, business_id, small, stage=Stage.PROD)
    idle = kilobytes("VmRSS")
    forget_peak()
    assert await mirror.sync(database, providers, business_id, large, stage=Stage.PROD)
    peak = kilobytes("VmHWM")
    await database.close()
    sys.stdout.write(json.dumps({"idle": idle, "peak": peak}))


if __name__ == "__main__":
    asyncio.run(main())
