"""What other programs put before staff."""

from typing import Final

from holdfast.kernel.attention import KINDS
from holdfast.kernel.tracking import one_of

# The subject is the endpoint: nothing is sent to it any more, since for days nothing has arrived, or it is gone.
DISABLED: Final = KINDS.declare("webhook_disabled", reason=one_of("failing", "gone"))
