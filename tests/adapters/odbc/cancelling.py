"""A program: `python cancelling.py DATABASE TIMES` reads the table t of a SQLite database so often, each time cancelled
from another thread at some point, and prints how many readings were whole and how many weren't."""

from __future__ import annotations

import random
import sys
import threading
import time

from adapters.odbc.failures import DatabaseError
from adapters.odbc.session import Session


def _read(session: Session, *, streamed: bool) -> None:
    if streamed:
        session.start("SELECT a, b FROM t", ())
        while session.more(100):
            pass
        return
    for _ in range(30):
        session.rows("SELECT a, b FROM t WHERE a > ? LIMIT ?", (5, 200), 200)


def _cancelled(dsn: str, *, streamed: bool) -> bool:
    """Whether a reading was cut short."""
    session = Session(dsn, None, bulk=streamed)
    closing = threading.Lock()

    def cancel() -> None:
        time.sleep(random.random() * 0.01)
        with closing:
            session.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        _read(session, streamed=streamed)
    except DatabaseError:
        return True
    finally:
        with closing:
            session.close()
        canceller.join()
    return False


if __name__ == "__main__":
    found = [_cancelled(f"Driver=SQLite3;Database={sys.argv[1]}", streamed=n % 2 == 0) for n in range(int(sys.argv[2]))]
    print(found.count(False), found.count(True))
