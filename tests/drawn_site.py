"""A site with drawn people for the tests of the console: an earlier run, and pictures of now."""

import threading
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from builders import WORDLESS, Box, camera, make_run
from drawn_networks import CLOTHES, look_of
from live_api import LiveApi
from pipeline.bus import pictures
from pipeline.bus.keys import IDENTITIES, OBSERVATIONS
from pipeline.bus.messages import CameraMessage, IdentityMessage, ObservationsMessage, pack
from pipeline.bus.pictures import Picture
from pipeline.reid.embedding import model_hash
from pipeline.run_directory.schema import CameraRecord

Image = NDArray[np.uint8]

CAMERAS = ("entrance", "hall", "stairs")
WIDTH, HEIGHT = 640, 360
#: An afternoon, seconds UTC; the run was before, the pictures of now begin here.
START = 1_790_000_000
FPS = 5
# The corners of the floor in every picture, and how far around each camera they are, metres.
_FLOOR = np.array([[0, 360], [640, 360], [640, 230], [0, 230]], np.float32)
_SEEN = np.array([[1, 0], [7, 0], [8.5, 4], [-0.5, 4]])
#: Where each camera is, metres, and to how many degrees its picture's right lies on the ground: the
#: three see the three sides of a court.
_STANDS = {"entrance": (0.5, 0.5, 0), "hall": (12.0, 2.0, 90), "stairs": (9.0, 13.0, 180)}
# Seconds that a person needs through one picture.
_CROSSING_S = 8.0
_BEHIND_S = 3.0


def people_at(camera_id: str, second: float) -> list[tuple[int, int, Box]]:
    """Track, person and box of everyone in a picture: they walk from camera to camera in turn."""
    place, found = CAMERAS.index(camera_id), []
    for person in CLOTHES:
        walked = second + _BEHIND_S * person - place * _CROSSING_S
        turn, into = divmod(walked, len(CAMERAS) * _CROSSING_S)
        if walked < 0 or into >= _CROSSING_S:
            continue
        height = 130.0 + 12 * person
        x = into / _CROSSING_S * (WIDTH + 60) - 60
        foot = 300.0 + 9 * person
        track = 100 * (int(turn) + 1) + person
        found.append((track, person, (x, foot - height, x + 0.38 * height, foot)))
    return found


def _to_picture(camera_id: str) -> NDArray[np.float64]:
    x, y, degrees = _STANDS[camera_id]
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corners = (_SEEN @ rotation + (x, y)).astype(np.float32)
    return np.asarray(cv2.getPerspectiveTransform(corners, _FLOOR), np.float64)


#: Of the cameras in a site file: metres on the ground to pixels.
CALIBRATIONS: dict[str, dict[str, Any]] = {
    name: {"calibration": {"homography": _to_picture(name).tolist()}} for name in CAMERAS
}


def ground_of(camera_id: str, box: Box) -> tuple[float, float]:
    """Where on the ground whoever has this box is, metres."""
    matrix = np.linalg.inv(CALIBRATIONS[camera_id]["calibration"]["homography"])
    x, y, scale = matrix @ ((box[0] + box[2]) / 2, box[3], 1)
    return float(x / scale), float(y / scale)


def drawn(camera_id: str, second: float) -> Image:
    """The picture of a camera: a room, and the people in it."""
    image = _room(CAMERAS.index(camera_id)).copy()
    for _, person, box in sorted(people_at(camera_id, second), key=lambda one: one[2][3]):
        draw_person(image, person, box, second)
    return image


def draw_person(image: Image, person: int, box: Box, second: float) -> None:
    """A person of the clothes of that number in a box, walking."""
    jacket, trousers = CLOTHES[person]
    x1, y1, x2, y2 = box
    middle, height, width = (x1 + x2) / 2, y2 - y1, x2 - x1

    def at(across: float, down: float) -> tuple[int, int]:
        return round(middle + across * width), round(y1 + down * height)

    swing = 0.3 * np.sin(6 * second + person)
    thick = max(round(0.2 * width), 2)
    for side in (-1, 1):
        cv2.line(image, at(0, 0.5), at(side * swing, 0.97), trousers, thick + 2, cv2.LINE_AA)
        cv2.line(image, at(0, 0.24), at(-side * swing * 1.1, 0.55), jacket, thick, cv2.LINE_AA)
    centre, size = at(0, 0.36), (round(0.24 * width), round(0.19 * height))
    cv2.ellipse(image, centre, size, 0, 0, 360, jacket, -1, cv2.LINE_AA)
    cv2.circle(image, at(0, 0.09), round(0.08 * height), (150, 180, 215), -1, cv2.LINE_AA)


@cache
def _room(number: int) -> Image:
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    wall = np.array([(150, 148, 140), (140, 150, 152), (152, 142, 146)][number])
    image = np.ascontiguousarray(np.broadcast_to(wall + 40 * rows, (HEIGHT, WIDTH, 3)), np.uint8)
    horizon = 170
    image[horizon:] = (image[horizon:] * 0.72).astype(np.uint8)
    for across in range(-8, 9):
        foot = WIDTH // 2 + across * 160
        cv2.line(image, (WIDTH // 2 + across * 40, horizon), (foot, HEIGHT), (110, 110, 108), 1, 16)
    for left in (70 + 60 * number, 330 + 40 * number):
        cv2.rectangle(image, (left, 40), (left + 110, 130), (215, 205, 190), -1)
        cv2.rectangle(image, (left, 40), (left + 110, 130), (90, 90, 90), 2)
    return image


def jpeg_of(image: Image) -> bytes:
    """The picture as JPEG."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def make_drawn_run(folder: Path) -> Path:
    """A run of a minute of this site, with a thumbnail of each track."""
    rows, people, thumbnails, looks, decisions = [], {}, {}, {}, {}
    model = model_hash(WORDLESS)
    for camera_id in CAMERAS:
        for frame in range(0, 600, 5):
            second = frame / 10
            for track, person, box in people_at(camera_id, second):
                rows.append((camera_id, START * 10 - 1000 + frame, track, box))
                if (camera_id, track) not in people:
                    decisions[camera_id, track] = _decision(person, second)
                    look = look_of(person)
                    known = {"embedding": look, "text_vector": look, "model": model}
                    looks[camera_id, track] = known
                people[camera_id, track] = person
                # Halfway through the picture nobody is cut by its border.
                if WIDTH / 2 - 40 < box[0] < WIDTH / 2:
                    path = f"thumbnails/{camera_id}/{track}.jpg"
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    x1, y1, x2, y2 = map(round, box)
                    crop = drawn(camera_id, second)[
                        max(y1 - 4, 0) : y2 + 4, max(x1 - 6, 0) : x2 + 6
                    ]
                    (folder / path).write_bytes(jpeg_of(crop))
                    thumbnails[camera_id, track] = path
    cameras = [_record(name, START - 40.1, 600) for name in CAMERAS]
    return make_run(
        folder,
        rows,
        people,
        cameras=cameras,
        thumbnails=thumbnails,
        looks=looks,
        decisions=decisions,
        ground=ground_of,
    )


def _decision(person: int, second: float) -> dict[str, Any]:
    at = START - 100 + second
    if second < _CROSSING_S:
        return {"at": at, "confidence": 0.97}
    likeness = 0.74 + 0.03 * person
    reason = f"looks like person {person} ({likeness:.2f}), 0.5 s after the camera before"
    return {"at": at, "confidence": likeness + 0.1, "reason": reason}


def _record(camera_id: str, end: float, frames: int, state: str = "complete") -> CameraRecord:
    known = camera(camera_id, frames, FPS, f"rtsp://10.0.0.{CAMERAS.index(camera_id) + 1}/stream")
    return msgspec.structs.replace(
        known,
        width=WIDTH,
        height=HEIGHT,
        start=START - 100.0,
        end=end,
        state=state,
        followed_fps=float(FPS),
        delay_s=0.2,
    )


# Pictures come so many times faster than in reality.
_HASTE = 3


class Playing:
    """Plays the pictures of now into ``api``, while it is entered."""

    def __init__(self, api: LiveApi) -> None:
        self._api = api
        self._stop = threading.Event()
        self._known: set[tuple[str, int]] = set()
        # Everybody is in a picture by then.
        self._frame = 20 * FPS
        self._second()

    def __enter__(self) -> "Playing":
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._second()

    def _second(self) -> None:
        """The pictures of a second one by one, then their boxes, as a node sends them."""
        frames = range(self._frame, self._frame + FPS)
        self._frame += FPS
        for frame in frames:
            for name in CAMERAS:
                picture = Picture(START + frame / FPS, jpeg_of(drawn(name, frame / FPS)))
                pictures.publish(self._api.bus, name, "small", picture)
            self._stop.wait(1 / FPS / _HASTE)
        end = START + frames[-1] / FPS
        self._api.clock.now = end
        for name in CAMERAS:
            self._receive_boxes(name, frames)
            record = _record(name, end, frames[-1], "running")
            self._api.receive(OBSERVATIONS, CameraMessage(record))

    def _receive_boxes(self, name: str, frames: range) -> None:
        rows = [(frame, *one) for frame in frames for one in people_at(name, frame / FPS)]
        if not rows:
            return
        index = np.array([row[0] for row in rows], np.int64)
        for _, track, person, _ in rows:
            self._identify(name, track, person, START + frames[0] / FPS)
        message = ObservationsMessage(
            camera_id=name,
            frame_index=pack(index),
            timestamp=pack(START + index / FPS),
            track_id=pack(np.array([row[1] for row in rows], np.int64)),
            boxes=pack(np.array([row[3] for row in rows], np.float32)),
            scores=pack(np.full(len(rows), 0.9, np.float32)),
        )
        self._api.receive(OBSERVATIONS, message)

    def _identify(self, name: str, track: int, person: int, at: float) -> None:
        if (name, track) in self._known:
            return
        self._known.add((name, track))
        reason = f"looks like person {person}, seen 3.0 s before"
        message = IdentityMessage(name, track, person, 0.9, "assigned", reason, at, None)
        self._api.receive(IDENTITIES, message)
