"""The end of a process whose disk has failed."""

from __future__ import annotations

import os
import sys
import threading

import structlog

EXIT_CODE = 74
"""`EX_IOERR` of sysexits.h."""
_ANSWERS_S = 0.5

log = structlog.get_logger("memsvc")


def end_unsynced() -> None:
    """End this process with `EXIT_CODE` in a moment, in which those who wait learn that nothing was written.

    Nothing is finished or flushed on the way: that would be written to the same disk. Whoever starts it again has
    SQLite read its log from there, and not from the memory of the system.
    """
    log.critical("fsync_failed")
    sys.stderr.write(
        "memsvc: the disk did not confirm a write (fsync failed). Nothing that was answered with success is affected; "
        "this process ends, so that the next one reads what the disk has. Look at the disk before trusting it.\n"
    )
    sys.stderr.flush()
    timer = threading.Timer(_ANSWERS_S, os._exit, (EXIT_CODE,))
    timer.daemon = True
    timer.start()
