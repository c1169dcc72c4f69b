"""The endpoint of the system: its parts, what waits in Redis, and the storage."""

import importlib.metadata
import os
import shutil
from collections import Counter
from pathlib import Path

from fastapi import APIRouter

from pipeline.api.schemas import (
    RedisAnswer,
    StorageAnswer,
    StoredAnswer,
    StreamAnswer,
    SystemAnswer,
)
from pipeline.api.shown import ShownSite
from pipeline.bus.streams import Bus
from pipeline.errors import UserError
from pipeline.monitoring.watch import Backlog, backlog_of

# What is in the run directory, by the folder; the rest is named so.
_OTHER = "other"
_KINDS = ("observations", "tracklets", "identities", "thumbnails", "video")


def add_system(data: APIRouter, site: ShownSite, bus: Bus | None) -> None:
    """Add the endpoint; without a ``bus`` the run has ended."""

    @data.get("/system")
    def system() -> SystemAnswer:
        """The parts that run, what waits in Redis, and what the run directory needs.

        Delay and overload of each camera are in `/cameras`.
        """
        return SystemAnswer(
            version=importlib.metadata.version("fusetrack"),
            live=site.is_live,
            redis=None if bus is None else redis_answer(bus),
            storage=None if site.archive is None else _storage(site.archive.folder),
        )


def redis_answer(bus: Bus) -> RedisAnswer:
    """What waits in a Redis, or why it does not answer."""
    try:
        backlog, parts = backlog_of(bus), bus.running_parts()
    except UserError as error:
        return RedisAnswer(" ".join(str(error).split()), [], [], None, None)
    return RedisAnswer("", sorted(parts), _streams(backlog), backlog.dead, backlog.memory)


def _streams(backlog: Backlog) -> list[StreamAnswer]:
    pending: Counter[str] = Counter()
    for (stream, _), count in backlog.pending.items():
        pending[stream] += count
    lengths = sorted(backlog.lengths.items())
    return [StreamAnswer(stream, length, pending[stream]) for stream, length in lengths]


def _storage(folder: Path) -> StorageAnswer | None:
    if not folder.is_dir():
        return None
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for root, _, names in os.walk(folder):
        top = Path(root).relative_to(folder).parts[:1]
        kind = top[0] if top and top[0] in _KINDS else _OTHER
        counts[kind] += len(names)
        sizes[kind] += sum(_size(Path(root, name)) for name in names)
    disk = shutil.disk_usage(folder)
    stored = [StoredAnswer(kind, sizes[kind], counts[kind]) for kind in (*_KINDS, _OTHER)]
    return StorageAnswer(folder.name, stored, disk.free, disk.total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        # It was replaced meanwhile.
        return 0
