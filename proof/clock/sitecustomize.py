"""What Python needs under libfaketime: time.sleep names the moment at which it wakes up, which is refused there."""

import select
import time
from typing import SupportsIndex


def _sleep(seconds: float | SupportsIndex, /) -> None:
    select.select([], [], [], float(seconds))


time.sleep = _sleep
