"""Call the live cameras once, before a run starts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.errors import UserError
from pipeline.sources.connection import NoConnection
from pipeline.sources.live import LiveSource
from pipeline.sources.source import Source

# A camera that does not answer takes its time and nothing else.
_AT_ONCE = 64


def probe(sources: Sequence[Source]) -> None:
    """Learn what the live cameras among ``sources`` send; who does not answer is only told.

    Raises UserError when there is no source but cameras that a person must mend first: a wrong
    password, host or path.
    """
    faults = call(sources)
    mistakes = [str(fault) for fault in faults if fault.mistake]
    if mistakes and len(mistakes) == len(sources):
        raise UserError("; ".join(mistakes))


def call(sources: Sequence[Source]) -> list[NoConnection]:
    """Learn what the live cameras among ``sources`` send; returns why others did not answer."""
    cameras = [source for source in sources if isinstance(source, LiveSource)]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as pool:
        faults = list(pool.map(LiveSource.probe, cameras))
    for camera, fault in zip(cameras, faults, strict=True):
        if fault is not None:
            camera.life.lost(str(fault))
    return [fault for fault in faults if fault is not None]
