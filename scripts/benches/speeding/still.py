"""Views in which nothing moves most of the time, and what `detector.rate: auto` makes of them.

Every picture gets noise of its own, as that of a sensor: no two are equal.
"""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
import polars as pl
import psutil
from numpy.typing import NDArray

from pets import CAME_BACK, CAMERA
from pipeline.config.schema import CameraConfig, SiteConfig
from pipeline.evaluation.ground_truth import read_ground_truth
from pipeline.evaluation.run_scores import by_global_id
from pipeline.evaluation.scores import score
from pipeline.pictures.video import write_video
from pipeline.sources import open_source
from pipeline.sources.source import Frame
from speeding import systems
from speeding.peers import Ultralytics
from speeding.timing import Speed

Image = NDArray[np.uint8]

#: Of every minute people walk for this long, and the last picture stays for the rest.
WALK_S, MINUTE_S = 15, 60
_FPS = 25
#: Each picture of PETS is shown so many times, at this rate: people move as fast as they did.
SHOWN, _SHOWN_FPS = 4, 40
# Grey levels: of a camera by day.
_NOISE = 3.0
_NOISES = 16
_PEER_S = 20
#: Of a longer view so many minutes are written, and then repeated without encoding them again.
CYCLE_MINUTES = 4


class Followed(NamedTuple):
    """What following a video took, and whom it found: trajectories by global id."""

    speed: Speed
    people: pl.DataFrame


def write_mostly_still(path: Path, clip: Path, seconds: int) -> None:
    """Write ``seconds`` of the clip, which begins again at its end, with pauses."""

    def shown() -> Iterator[Image]:
        walking = _pictures(clip)
        while True:
            moving = list(islice(walking, WALK_S * _FPS))
            yield from moving
            for _ in range((MINUTE_S - WALK_S) * _FPS):
                yield moving[-1]

    write_video(path, _timed(islice(shown(), seconds * _FPS), _FPS))


def repeated(path: Path, once: Path, times: int) -> None:
    """Write a video so many times after itself, as it is coded."""
    with av.open(path, "w") as out, av.open(once) as first:
        written = out.add_stream_from_template(first.streams.video[0])
        for number in range(times):
            with av.open(once) as video:
                stream = video.streams.video[0]
                for packet in video.demux(stream):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts += number * (stream.duration or 0)
                        packet.dts += number * (stream.duration or 0)
                        packet.stream = written
                        out.mux(packet)


def tiled(people: pl.DataFrame, frames: int, times: int, camera_id: str) -> pl.DataFrame:
    """Trajectories of a video of so many frames, as they are when a camera shows it repeatedly."""
    shown = people.with_columns(pl.lit(camera_id).alias("camera_id"))
    return pl.concat(
        shown.with_columns(pl.col("frame_index") + number * frames) for number in range(times)
    )


def write_slowed(path: Path, clip: Path, frames: int) -> None:
    """Write the first ``frames`` of a clip, each shown several times."""
    shown = (image for image in islice(_pictures(clip), frames) for _ in range(SHOWN))
    write_video(path, _timed(shown, _SHOWN_FPS))


def _pictures(clip: Path) -> Iterator[Image]:
    """The pictures of a clip, again and again."""
    while True:
        frames = open_source(clip.stem, CameraConfig(source=str(clip))).frames()
        yield from (frame.image for frame in frames if isinstance(frame, Frame))


def _timed(images: Iterable[Image], fps: float) -> Iterator[tuple[float, Image]]:
    """The images with their times and with noise."""
    chance = np.random.default_rng(0)
    noises: list[NDArray[np.int16]] = []
    for index, image in enumerate(images):
        while len(noises) < _NOISES:
            noises.append(np.rint(chance.normal(0, _NOISE, image.shape)).astype(np.int16))
        noise = noises[int(chance.integers(_NOISES))]
        yield index / fps, np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


class Memory:
    """Memory of this process (MB) when a sixth of so many ``frames`` were followed, and all."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._process = psutil.Process()
        self.begun = self.ended = 0

    def sample(self, done: int) -> None:
        """Note it after so many frames."""
        self.ended = round(self._process.memory_info().rss / 2**20)
        if done <= self._frames // 6:
            self.begun = self.ended


def followed(video: Path, rate: str, memory: Memory | None = None) -> Followed:
    """Follow a video with ``detector.rate``."""
    detector = SiteConfig().detector.model_copy(update={"rate": rate})
    found: list[pl.DataFrame] = []
    speed = systems.ours(
        [video],
        SiteConfig(detector=detector),
        look=lambda run: found.append(run.trajectories()),
        followed=memory.sample if memory else lambda done: None,
    )
    print(f"{video.stem}, rate {rate}: {speed}", file=sys.stderr)
    return Followed(speed, found[0])


def agreement(one: pl.DataFrame, truth: pl.DataFrame) -> float:
    """IDF1 of trajectories where others are the truth."""
    return score(by_global_id(one), by_global_id(truth)).idf1


def pets_scores(found: pl.DataFrame, truth: Path, frames: int) -> dict[str, float]:
    """MOTA and IDF1 of a slowed PETS by global id, and IDF1 where people who came back are one."""
    people = read_ground_truth(truth, [CAMERA]).filter(pl.col("frame_index") < frames)
    shown = pl.concat(
        people.with_columns(pl.col("frame_index") * SHOWN + number) for number in range(SHOWN)
    )
    plain = score(by_global_id(found), shown)
    back = score(by_global_id(found), shown.with_columns(pl.col("person_id").replace(CAME_BACK)))
    return {"mota": plain.mota, "idf1": plain.idf1, "idf1_came_back": back.idf1}


def mostly_still(
    clip: Path, minutes: int, peer: Ultralytics, scratch: Path, *, whole: bool
) -> dict[str, dict[str, float]]:
    """The figures of a mostly still view of a multiple of `CYCLE_MINUTES`.

    The peer and `all`, to which all frames are equal, follow a part (the peer's first seconds, the
    first cycle), unless they are to follow the ``whole`` as well. What `all` says of the first
    cycle is the truth of each.
    """
    once, view, part = (scratch / f"{name}.mp4" for name in ("cycle", "still", "part"))
    write_mostly_still(once, clip, CYCLE_MINUTES * MINUTE_S)
    write_mostly_still(part, clip, _PEER_S)
    cycles, frames = minutes // CYCLE_MINUTES, CYCLE_MINUTES * MINUTE_S * _FPS
    repeated(view, once, cycles)
    memory = Memory(cycles * frames)
    theirs = peer.run([view if whole else part])
    truth = followed(once, "all")
    auto = followed(view, "auto", memory)
    every = followed(view, "all") if whole else truth
    people = tiled(truth.people, frames, cycles, view.stem)
    rows = {
        "fusetrack, rate all": _figures(every.speed, theirs),
        "fusetrack, rate auto": _figures(auto.speed, theirs),
        "ultralytics ByteTrack, OpenVINO, no ReID": _figures(theirs, theirs),
    }
    if whole:
        rows["fusetrack, rate all"]["idf1_by_all"] = round(agreement(every.people, people), 3)
    rows["fusetrack, rate auto"] |= {
        "idf1_by_all": round(agreement(auto.people, people), 3),
        "mb_after_a_sixth": memory.begun,
        "mb_at_the_end": memory.ended,
    }
    return rows


def slowed_pets(data: Path, frames: int, scratch: Path) -> dict[str, dict[str, float]]:
    """The figures of PETS slowed, against its ground truth."""
    folder, video = data / "pets2009", scratch / f"{CAMERA}.mp4"
    write_slowed(video, folder / f"{CAMERA}.avi", frames)
    found = {rate: followed(video, rate) for rate in ("all", "auto")}
    return {
        f"fusetrack, rate {rate}": {
            "cpu_ms": round(one.speed.cpu_ms, 1),
            **{
                name: round(value, 3)
                for name, value in pets_scores(
                    one.people, folder / "PETS2009-S2L1.xml", frames
                ).items()
            },
        }
        for rate, one in found.items()
    }


def _figures(speed: Speed, peer: Speed) -> dict[str, float]:
    """Times as fast as the peer, by the clock and by processor time."""
    return {
        "fps": round(speed.fps, 1),
        "frames": speed.frames,
        "cpu_ms": round(speed.cpu_ms, 1),
        "cpu_hours_a_camera_hour": round(speed.cpu_ms * _FPS / 1000, 2),
        "times_as_fast": round(speed.fps / peer.fps, 2),
        "times_by_cpu": round(peer.cpu_ms / speed.cpu_ms, 2),
    }
