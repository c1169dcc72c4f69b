"""Checks of this machine: devices, codecs, Redis, weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.bus.embedded_redis import INSTALL_REDIS, find_server
from pipeline.paths import cache_folder
from pipeline.weights import verify

#: The weights that `fusetrack run` uses by default.
DEFAULT_WEIGHTS = ["yolo26n", "fusion-people"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; without a ``needed`` one `fusetrack run` does not work."""

    name: str
    works: bool
    needed: bool
    detail: str


def checks() -> list[Check]:
    """Check everything that `fusetrack run` uses."""
    return [*_weights(), _redis(find_server()), *_codecs(), *_devices(), _cache(cache_folder())]


def _weights() -> list[Check]:
    """One check per entry of the default weights: its first file, or the first one at fault."""
    checks = []
    for name in DEFAULT_WEIGHTS:
        files = verify([name])
        file = next((file for file in files if file.state != "ok"), files[0])
        works = file.state == "ok"
        pull = f"{file.state}: run `fusetrack weights pull {name}`"
        checks.append(Check(f"weights {name}", works, True, str(file.path) if works else pull))
    return checks


def _redis(server: Path | None) -> Check:
    detail = str(server) if server else INSTALL_REDIS
    return Check("embedded Redis", server is not None, True, detail)


def _codecs() -> list[Check]:
    import av

    known = av.codecs_available
    return [
        Check(
            f"codec {name}", name in known, False, "" if name in known else "not in PyAV's FFmpeg"
        )
        for name in ("h264", "hevc", "av1", "vp9", "mjpeg", "libx264")
    ]


def _devices() -> list[Check]:
    import torch

    count = torch.cuda.device_count()
    names = ", ".join(torch.cuda.get_device_name(index) for index in range(count))
    return [
        Check("CPU", True, True, f"{torch.get_num_threads()} threads"),
        Check("CUDA", count > 0, False, names or "no NVIDIA GPU with a driver"),
    ]


def _cache(folder: Path) -> Check:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    writable = os.access(existing, os.W_OK)
    return Check("cache", writable, False, f"{folder}{'' if writable else ' is not writable'}")
