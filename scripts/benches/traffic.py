"""What open tracks cost Redis: bytes a second that a live node and the associator send to it.

Simulated people stand in the views of the cameras and never leave; their crops are embedded as
often as in a run, with random vectors. Everything behind the tracker is the product's: cameras,
outboxes, messages, the associator and an embedded Redis with its append-only file. Event time goes
as fast as the machine can; bytes are for each second of event time.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import redis
from numpy.typing import NDArray

from pipeline.associator.associator import AssociatorService
from pipeline.associator.open import association_of
from pipeline.bus import backpressure
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.keys import ASSOCIATOR, IDENTITIES, OBSERVATIONS, RECORDER, TRACKLETS
from pipeline.bus.outbox import Outbox
from pipeline.bus.streams import Bus
from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig
from pipeline.node.camera import Camera
from pipeline.node.resume import ResumedCamera
from pipeline.sources.source import RecordedFrame
from trackers.detections import Detections

FPS = 5
# Tracks are new at first; their messages are those of the rest of their lives after this long.
SETTLED_S = 20


class View:
    """A live camera with ``people`` in view, and the node's part of it."""

    live, width, height, fps = True, 1280, 720, float(FPS)
    span, timestamp_origin, fault = None, "arrival", ""

    def __init__(self, camera_id: str, people: int, dimension: int, bus: Bus) -> None:
        self.camera_id = camera_id
        self._people = people
        self._chance = np.random.default_rng(int(camera_id[3:]))
        self._looks = self._chance.normal(size=(people, dimension)).astype(np.float32)
        config = check_config({"cameras": {camera_id: {"source": "rtsp://a/b"}}}, "the bench")
        self._camera = Camera(self, config, None, make_tracker=lambda: self)  # type: ignore[arg-type]
        self._outbox = Outbox(bus, camera_id, live=True)
        self._resumed = ResumedCamera(camera_id, self._outbox.known)

    def frames(self) -> Iterator[RecordedFrame]:
        """None: the bench makes them."""
        return iter(())

    def update(self, detections: Detections, image: object, timestamp: float) -> Detections:
        """Each person is one track."""
        return replace(detections, track_ids=np.arange(1, self._people + 1))

    def see(self, frame: int) -> None:
        """One frame of all people, and their crops."""
        left = 10 + 1200 * np.arange(self._people) / self._people + np.sin(frame / 7)
        boxes = np.stack([left, left * 0 + 200, left + 50, left * 0 + 350], axis=1)
        scores = np.full(self._people, 0.9, np.float32)
        found = Detections(boxes.astype(np.float32), scores, None, self._seen())
        self._camera.update(RecordedFrame(self.camera_id, frame, frame / FPS, found), found)
        for crop in self._camera.take_due_crops():
            assert crop.crop.embedding is not None
            self._camera.add_embedding(crop, crop.crop.embedding)
        self._camera.close_tracks()

    def send(self) -> None:
        """Send what is due, as a node does."""
        observations, tracklets = self._camera.take_messages(ended=False)
        named = [(OBSERVATIONS, one) for one in observations]
        named += [(TRACKLETS, one) for one in tracklets]
        messages = [(stream, self._resumed.renumbered(one)) for stream, one in named]
        progress = self._resumed.record_sent([one for _, one in messages])
        self._outbox.send(messages, **progress)

    def _seen(self) -> NDArray[np.float32]:
        noise = self._chance.normal(scale=0.3, size=self._looks.shape)
        seen = self._looks + noise.astype(np.float32)
        return np.asarray(seen / np.linalg.norm(seen, axis=1, keepdims=True), np.float32)


def received(client: Any) -> tuple[int, int]:
    """Bytes that Redis received so far, and those that it wrote into its file."""
    stats, disk = client.info("stats"), client.info("persistence")
    return int(stats["total_net_input_bytes"]), int(disk["aof_current_size"])


def record(bus: Bus) -> None:
    """Acknowledge everything in place of a recorder, so that the streams stay short."""
    bus.commit(RECORDER, bus.read(RECORDER, "1", [OBSERVATIONS, TRACKLETS, IDENTITIES], 0.001))
    backpressure.trim(bus)


def measure(
    folder: Path, cameras: int, people: int, dimension: int, seconds: int
) -> dict[str, Any]:
    """Bytes of node and associator, and their processor time, for each second of event time."""
    spent = {"node": [0, 0, 0.0], "associator": [0, 0, 0.0]}
    names = [f"cam{number:02}" for number in range(cameras)]
    with (
        EmbeddedServer(folder) as server,
        Bus(server.url, "traffic") as bus,
        redis.Redis.from_url(server.url) as client,
    ):
        # One file, whose growth can be read.
        client.config_set("auto-aof-rewrite-percentage", 0)
        bus.declare()
        views = [View(name, people, dimension, bus) for name in names]
        association = association_of(SiteConfig())
        service = AssociatorService(bus, association, names)
        for second in range(1, seconds + 1):
            for part in spent:
                before, began = received(client), time.process_time()
                if part == "node":
                    for view in views:
                        for frame in range(FPS):
                            view.see((second - 1) * FPS + frame)
                        view.send()
                else:
                    step(service, bus)
                if second > SETTLED_S:
                    after, took = received(client), time.process_time() - began
                    more = (after[0] - before[0], after[1] - before[1], took)
                    spent[part] = [a + b for a, b in zip(spent[part], more, strict=True)]
            record(bus)
    counted = seconds - SETTLED_S
    return {
        "open_tracks": cameras * people,
        "dimension": dimension,
        **{
            part: {
                "received_bytes_a_second": round(found[0] / counted),
                "file_bytes_a_second": round(found[1] / counted),
                "processor_ms_a_second": round(1e3 * found[2] / counted, 1),
            }
            for part, found in spent.items()
        },
    }


def step(service: AssociatorService, bus: Bus) -> None:
    """Let the associator take and decide all that was sent."""
    service._take(bus.read(ASSOCIATOR, "1", [TRACKLETS], 0.001))
    service._decide_complete_moments()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cameras", type=int, default=10)
    parser.add_argument("--people", type=int, default=20, help="people in the view of each camera")
    parser.add_argument("--dimension", type=int, default=512, help="numbers of an embedding")
    parser.add_argument("--seconds", type=int, default=140, help="event time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given.cameras, given.people, given.dimension, given.seconds)
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:12} {value}")


if __name__ == "__main__":
    main()
