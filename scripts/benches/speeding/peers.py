"""The peers of fusetrack on the same clips, with the same detector and size of its input."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

from pipeline.config.schema import CameraConfig
from pipeline.pictures.video import write_video
from pipeline.sources import open_source
from pipeline.weights import weights_path
from speeding.timing import Speed, Stopwatch

# boxmot's own choice for a processor, at the version that it asks for itself.
_BOXMOT_NEEDS = ["onnxruntime"]
_BEGINNING = 10


class Ultralytics:
    """Detection and tracking by ultralytics' ByteTrack, without ReID."""

    def __init__(self, how: str, scratch: Path) -> None:
        """``how`` is pytorch or openvino, for which it exports the detector itself."""
        os.environ.setdefault("YOLO_VERBOSE", "false")  # stdout is for the figures
        from ultralytics import YOLO

        weights = shutil.copy(weights_path("yolo26n", kind="detector"), scratch)
        model = YOLO(weights)
        if how == "openvino":
            model = YOLO(
                model.export(format="openvino", dynamic=True, verbose=False), task="detect"
            )
        self._model: Any = model

    def run(self, clips: list[Path]) -> Speed:
        """One clip after the other, each from its second frame on."""
        frames, wall_s, cpu_s = 0, 0.0, 0.0
        for clip in clips:
            results = self._model.track(
                str(clip), tracker="bytetrack.yaml", classes=[0], verbose=False, stream=True
            )
            next(results)
            watch = Stopwatch()
            one = watch.speed(sum(1 for _ in results))
            frames, wall_s, cpu_s = frames + one.frames, wall_s + one.wall_s, cpu_s + one.cpu_s
        return Speed(frames, wall_s, cpu_s)


class Boxmot:
    """boxmot's command line: YOLO26n in PyTorch, BoT-SORT and OSNet x0.25 through ONNX Runtime.

    It runs in a virtual environment of its own that sees the packages of this one. Its start-up is
    left out: it runs on the first frames of a clip as well.
    """

    def __init__(self, clip: Path, reid: Path, scratch: Path) -> None:
        self._python = _environment(scratch / "boxmot")
        self._reid, self._scratch, self._clip = reid, scratch, clip
        self._detector = shutil.copy(weights_path("yolo26n", kind="detector"), scratch)
        self._beginning = scratch / f"beginning{clip.suffix}"
        frames = open_source("c", CameraConfig(source=str(clip))).frames()
        first = [frame for frame, _ in zip(frames, range(_BEGINNING), strict=False)]
        write_video(self._beginning, ((f.timestamp, f.image) for f in first))  # type: ignore[union-attr]
        self._frames = len(first) + sum(1 for _ in frames)

    def run(self) -> Speed:
        """The whole clip, less its beginning."""
        whole, begun = self._track(self._clip), self._track(self._beginning)
        frames = self._frames - _BEGINNING
        return Speed(frames, whole.wall_s - begun.wall_s, whole.cpu_s - begun.cpu_s)

    def _track(self, video: Path) -> Speed:
        watch = Stopwatch()
        command = [self._python.parent / "python", "-c", _MAIN, "track", "--source", video]
        options = ["--detector", self._detector, "--reid", self._reid, "--tracker", "botsort"]
        done = subprocess.run(
            [*map(str, command), *map(str, options), "--classes", "0", "--device", "cpu"],
            cwd=self._scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"bench speed: boxmot failed on {video}: {done.stderr[-500:]}")
        return watch.speed(1)


_MAIN = "import sys; from boxmot.engine.cli import main; sys.exit(main())"


def _environment(folder: Path) -> Path:
    """The Python of a virtual environment with what boxmot needs besides our packages."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    seen = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (Path(seen) / "ours.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([python, "-m", "pip", "install", "-q", *_BOXMOT_NEEDS], check=True)
    return python
