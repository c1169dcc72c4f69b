"""Camera-frames per second on the four demo clips (1088x1920), without start-up.

`fusetrack` does everything: decoding, detection, tracking, embedding, association, recording. For
comparison, parts of it on the same clips in the same run: ultralytics' ByteTrack with the same
detector in OpenVINO, one clip after the other, without ReID; and decoding alone.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.config.load import load_config
from pipeline.config.schema import CameraConfig, SiteConfig
from pipeline.monitoring.progress import Tally
from pipeline.paths import config_folder
from pipeline.runtime.run import run_site
from pipeline.runtime.site_options import with_options
from pipeline.sources import open_source
from pipeline.weights import weights_path


class FirstFrame(Tally):
    """A tally that records when the first batch was finished."""

    began = 0.0

    def on_frames(self, camera_id: str, frames: int) -> None:
        """Record the time of the first call."""
        super().on_frames(camera_id, frames)
        self.began = self.began or time.perf_counter()


def ours(clips: list[Path], config: SiteConfig) -> float:
    """All of fusetrack, from the first batch on."""
    site = with_options(config, [str(clip) for clip in clips], {})
    tally = FirstFrame([clip.stem for clip in clips])
    with tempfile.TemporaryDirectory() as folder:
        run = run_site(site, Path(folder) / "run", tally=tally)
        frames = sum(camera.frames for camera in run.cameras())
    return (frames - site.detector.batch) / (time.perf_counter() - tally.began)


def ultralytics(clips: list[Path], scratch: Path) -> float:
    """Detection and tracking by ultralytics with its own export, from the second frame on."""
    os.environ.setdefault("YOLO_VERBOSE", "false")  # it prints to stdout, which is for the figures
    from ultralytics import YOLO

    weights = shutil.copy(weights_path("yolo26n", kind="detector"), scratch)
    model = YOLO(
        YOLO(weights).export(format="openvino", dynamic=True, verbose=False), task="detect"
    )
    frames, seconds = 0, 0.0
    for clip in clips:
        results = model.track(
            str(clip), tracker="bytetrack.yaml", classes=[0], verbose=False, stream=True
        )
        next(results)
        begin = time.perf_counter()
        frames += sum(1 for _ in results)
        seconds += time.perf_counter() - begin
    return frames / seconds


def decoding(clips: list[Path]) -> float:
    """Decoding and conversion to BGR alone, one clip after the other."""
    begin = time.perf_counter()
    frames = sum(
        sum(1 for _ in open_source(clip.stem, CameraConfig(source=str(clip))).frames())
        for clip in clips
    )
    return frames / (time.perf_counter() - begin)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder = weights_path("demo-clips").parent
    clips = [folder / f"cam0{number}.mp4" for number in (1, 2, 3, 4)]
    with tempfile.TemporaryDirectory() as scratch:
        peer = ultralytics(clips, Path(scratch))
    found = {
        "fusetrack, all of it": ours(clips, load_config(config_folder() / "demo.yaml")),
        "ultralytics ByteTrack, OpenVINO, no ReID": peer,
        "decoding alone": decoding(clips),
    }
    if arguments.json:
        print(json.dumps({name: round(speed, 1) for name, speed in found.items()}))
        return
    table = Table("system", "camera-frames/s", "of fusetrack")
    for name, speed in found.items():
        table.add_row(name, f"{speed:.1f}", f"{speed / found['fusetrack, all of it']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
