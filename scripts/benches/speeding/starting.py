"""How long fusetrack takes to start, with its caches warm."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

_ROUNDS = 5

# Prints the seconds of processor and the wall time at which the first batch was finished.
_FIRST_FRAME = """
import os, sys, tempfile, time
from pathlib import Path
from pipeline.config.schema import SiteConfig
from pipeline.monitoring.progress import Tally
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options

class First(Tally):
    def on_frames(self, camera_id, frames):
        print(time.time(), flush=True)
        os._exit(0)

site = with_options(SiteConfig(), sys.argv[1:2], {})
run_site(site, Path(sys.argv[2]) / "run", tally=First(list(site.cameras)))
"""


def help_s() -> float:
    """The median wall time of ``fusetrack --help``, in seconds."""
    command = [sys.executable, "-m", "fusetrack", "--help"]
    return median(_wall_s(command) for _ in range(_ROUNDS))


def first_frame_s(clip: Path, scratch: Path) -> float:
    """The median of the seconds from the start of a process to its first batch of frames."""
    return median(_first_s(clip, scratch / f"start{number}") for number in range(_ROUNDS))


def _wall_s(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def _first_s(clip: Path, folder: Path) -> float:
    folder.mkdir()
    begin = time.time()
    command = [sys.executable, "-c", _FIRST_FRAME, str(clip), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout) - begin
