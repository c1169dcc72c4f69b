"""Memory of a run by the number of its cameras."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

from pipeline.config.schema import CameraConfig
from pipeline.pictures.video import write_video
from pipeline.sources import open_source
from pipeline.sources.source import Frame

CAMERAS = (1, 2, 4, 8, 16, 32)
_FRAMES = 25

# Prints the most memory of the run, without its Redis, in kB. (`ru_maxrss` begins with that of the
# process that started it.)
_RUN = """
import sys
from pathlib import Path
from pipeline.config.schema import SiteConfig
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options

run_site(with_options(SiteConfig(), sys.argv[2:], {}), Path(sys.argv[1]))
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def memory(clip: Path, scratch: Path) -> dict[str, dict[str, int]]:
    """The most memory (MB) of a run, without its Redis, by the number of cameras with ``clip``."""
    beginning = scratch / "shown.mp4"
    frames = open_source(clip.stem, CameraConfig(source=str(clip))).frames()
    images = (frame for frame in islice(frames, _FRAMES) if isinstance(frame, Frame))
    write_video(beginning, ((frame.timestamp, frame.image) for frame in images))
    return {f"{count} cameras": _most(beginning, count, scratch) for count in CAMERAS}


def _most(video: Path, count: int, scratch: Path) -> dict[str, int]:
    sources = [f"c{number}={video}" for number in range(count)]
    command = [sys.executable, "-c", _RUN, str(scratch / f"memory{count}"), *sources]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"mb": int(done.stdout) // 1024}
