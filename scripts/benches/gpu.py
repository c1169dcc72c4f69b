"""A GPU beside the processor: detection, embedding and all of fusetrack, in turns.

It needs an NVIDIA GPU with its driver, a PyTorch built for CUDA that finds it (`fusetrack doctor`
says so), and the clips of the demo. `--engine PATH` adds a detector made for TensorRT on this GPU
(`yolo export model=yolo26n.pt format=engine half`; needs the package tensorrt). Speeds are
camera-frames a second of the clips of the demo, crops a second for embedding; cosines compare the
vectors of the GPU with those of the processor.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

import printing
from pipeline.config.schema import CameraConfig, SiteConfig
from pipeline.detector import Detector
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.node.crops import cut
from pipeline.reid.embedding import open_embedder
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from reid_model.embedder import Embedder
from speed import clips_of
from speeding import systems
from speeding.timing import Stopwatch

_CROPS, _AGAIN = 64, 4


@dataclass(frozen=True)
class Side:
    """One device, with what runs on it."""

    config: SiteConfig
    detector: Detector
    embedder: Embedder

    @classmethod
    def opened(cls, config: SiteConfig, device: str) -> "Side":
        """The networks of a site on a device."""
        config = config.model_copy(update={"device": device})
        return cls(config, Detector(config.detector, device), open_embedder(config.reid, device))


def crops_of(clip: Path, detector: Detector, most: int = _CROPS) -> list[NDArray[np.uint8]]:
    """Up to ``most`` people of a clip, BGR."""
    found: list[NDArray[np.uint8]] = []
    for frame in open_source(clip.stem, CameraConfig(source=str(clip))).frames():
        if isinstance(frame, Frame):
            boxes = detector.detect([frame.picture])[0].boxes
            found += [cut(frame.picture, box) for box in boxes]
        if len(found) >= most:
            break
    return found[:most]


def measure(
    sides: dict[str, Side], clips: Sequence[Path], rounds: int
) -> dict[str, dict[str, float]]:
    """Medians over the rounds, in which the sides take turns."""
    first = next(iter(sides.values()))
    crops = crops_of(clips[0], first.detector)
    expected = first.embedder.embed(crops)
    speeds: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            for what, run in _measured(side, list(clips), crops).items():
                speeds[name].setdefault(what, []).append(run())
    rows: dict[str, dict[str, float]] = {}
    for name, side in sides.items():
        cosines = (side.embedder.embed(crops) * expected).sum(axis=1)
        rows[name] = {what: round(median(found), 1) for what, found in speeds[name].items()}
        rows[name]["least cosine"] = round(float(cosines.min()), 4)
    return rows


def _measured(
    side: Side, clips: list[Path], crops: list[NDArray[np.uint8]]
) -> dict[str, Callable[[], float]]:
    return {
        "detection": lambda: systems.detection(clips, side.config, side.detector).fps,
        "embedding": lambda: _embedding(side.embedder, crops),
        "all of fusetrack": lambda: systems.ours(clips, side.config).fps,
    }


def _embedding(embedder: Embedder, crops: list[NDArray[np.uint8]]) -> float:
    watch = Stopwatch()
    for _ in range(_AGAIN):
        embedder.embed(crops)
    return watch.speed(_AGAIN * len(crops)).fps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda:0", help="cuda:1 is the second GPU")
    parser.add_argument("--engine", type=Path, help="a TensorRT engine of the detector")
    arguments = parser.parse_args()
    try:
        device = resolve_device(arguments.device)
        clips, config = clips_of("demo")
        sides = {"processor": Side.opened(config, "cpu"), device: Side.opened(config, device)}
        if arguments.engine is not None:
            detector = config.detector.model_copy(update={"model": str(arguments.engine)})
            engine = config.model_copy(update={"detector": detector})
            sides[f"{device}, TensorRT"] = Side.opened(engine, device)
    except UserError as error:
        sys.exit(f"bench gpu: {error}")
    found = measure(sides, clips, arguments.rounds)
    columns = ["detection", "embedding", "all of fusetrack", "least cosine"]
    printing.show(found, "device", columns, as_json=arguments.json)


if __name__ == "__main__":
    main()
