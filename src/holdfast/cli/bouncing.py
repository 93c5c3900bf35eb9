"""`bounce`: what a server of mail returns, piped in by it."""

import sys
from typing import NoReturn

import psycopg

from holdfast import config
from holdfast.cli.options import DataDir, Dsn, say, settings_of, with_personal_data
from holdfast.kernel.embedded import EmbeddedPostgresError
from holdfast.kernel.errors import TryLater
from holdfast.notifications import bounces

# By which a program tells a server of mail to try again (sysexits.h, EX_TEMPFAIL); any other failure it would return,
# and what it returns would come here again.
_TRY_AGAIN = 75


def run_bounce(data: DataDir = None, dsn: Dsn = None) -> None:
    """Read a notification about a failed delivery from stdin, as a mail server pipes it, and put it before staff.

    Exit code 0: taken, also when it is about no message of ours; 75: the database cannot be reached, try again.
    """
    returned = bounces.read(sys.stdin.buffer.read(bounces.MAX_BYTES))
    if returned is None:
        say("bounce: nothing here says that a message of ours has failed")
        return
    try:
        business_id = with_personal_data(settings_of(data, dsn), lambda tx: bounces.note(tx, returned))
    except (psycopg.OperationalError, EmbeddedPostgresError, TryLater, config.ConfigurationError) as away:
        _again(away)
    if business_id is None:
        say("bounce: there is no such message")
    else:
        say(f"bounce: message {returned.message_id} came back ({returned.status or 'without a status'})")


def _again(away: Exception) -> NoReturn:
    say(f"bounce: {away}")
    sys.exit(_TRY_AGAIN)
