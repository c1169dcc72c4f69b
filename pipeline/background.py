"""Work in a thread while a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(
    name: str, work: Callable[[threading.Event], None], wake: threading.Event | None = None
) -> Iterator[None]:
    """Run ``work(done)`` in a thread during the block; at its end set ``done``, and join.

    ``wake`` is set after ``done``, for work that waits on another event.
    """
    done = threading.Event()
    thread = threading.Thread(target=work, args=[done], name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        if wake is not None:
            wake.set()
        thread.join()
