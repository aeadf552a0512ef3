"""Has a file arrived whole? An upload is there from its first byte; only a whole one may be read.

In this order: the marker, where one is configured; the size; a read lease, which Linux refuses while any process
has the file open for writing (fcntl(2), F_SETLEASE); else no change for a while.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time

from adapters.files.config import Arrival
from adapters.files.folder import Folder
from adapters.files.formats import Format


def arrived(folder: Folder, path: str, handle: int, format: Format, arrival: Arrival) -> bool:
    """Whether the open file may be read now."""
    found = os.fstat(handle)
    if not format.whole(found.st_size):
        return False
    if arrival.marker is not None:
        return folder.exists(path + arrival.marker)
    unopened = _no_writer(handle)
    if unopened is None:
        return time.time() - found.st_mtime >= arrival.stable_for
    return unopened


def _no_writer(handle: int) -> bool | None:
    """True: no process has the file open for writing; False: one has; None: the system can't tell."""
    try:
        # A writer that opens the file in this instant makes the kernel signal us; SIGIO, its default, would
        # end the process, SIGURG is ignored.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return False if error.errno in (errno.EAGAIN, errno.EBUSY) else None
    return True
