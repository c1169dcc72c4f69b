"""The configuration of a site: YAML in, checked values out, unknown keys refused."""

import re
from datetime import datetime
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from pipeline.config.fields import Matrix, Name, Option, Score, Seconds, Section

#: What of a person is made unrecognisable in a picture.
Blur = Literal["none", "faces", "bodies"]


class RetentionConfig(Section):
    """How long what is recorded is kept, in seconds; None is for ever.

    A tracklet goes with its embedding and its thumbnail, so a thumbnail is never kept longer than
    ``tracklets_s``. Without its identity an observation is a box of nobody.
    """

    observations_s: Seconds | None = None
    tracklets_s: Seconds | None = None
    identities_s: Seconds | None = None
    thumbnails_s: Seconds | None = None
    video_s: Seconds | None = None

    @property
    def shortest_s(self) -> float | None:
        """The shortest of all, None when everything is kept for ever."""
        given = [seconds for _, seconds in self if seconds is not None]
        return min(given, default=None)


class PrivacyConfig(Section):
    """What is blurred in every picture that is written: thumbnails, videos, previews."""

    blur: Blur = "none"


LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/@\s]+):(?P<port>\d{1,5})")
_MOST_PORT = 65_535


def host_and_port(address: str) -> tuple[str, int]:
    """Both parts of ``HOST:PORT``, an IPv6 host without its brackets.

    Raises ValueError when it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _MOST_PORT:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:9100")
    return found["host"].strip("[]"), int(found["port"])


def _check_address(address: str) -> str:
    host_and_port(address)
    return address


class ServiceConfig(Section):
    """How a process is watched from outside.

    ``metrics`` is where /metrics, /healthz and /readyz are served; None serves nothing. A process
    whose main loop makes no step for ``stalled_s`` is no longer healthy.
    """

    metrics: Annotated[str, AfterValidator(_check_address)] | None = None
    stalled_s: Annotated[float, Field(gt=0)] = 60.0
    log_format: LogFormat = "text"
    log_level: LogLevel = "warning"


class ApiConfig(Section):
    """Where the live API listens, who may use it, and what it shows.

    ``token`` may come from the environment instead; beyond this computer there must be one.
    ``pictures`` is whether a node gives pictures of its cameras to who looks at them. A preview has
    at most ``preview_px`` pixels on its longer side and ``preview_fps`` pictures a second.
    """

    listen: str = "127.0.0.1:8710"
    token: SecretStr | None = None
    pictures: bool = True
    preview_px: Annotated[int, Field(ge=64, le=3840)] = 960
    preview_fps: Annotated[float, Field(gt=0, le=25)] = 5.0

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host_and_port(value)
        return value


class CameraCalibration(Section):
    """How a camera sees the ground: one of the two.

    ``projection`` is 3x4 from world metres to pixels; ``homography`` is 3x3 from ground metres to
    pixels.
    """

    projection: Matrix | None = None
    homography: Matrix | None = None

    @model_validator(mode="after")
    def _one_matrix(self) -> "CameraCalibration":
        if (self.projection is None) == (self.homography is None):
            raise ValueError("expected exactly one of projection and homography")
        name, columns = ("homography", [0, 1, 2]) if self.homography else ("projection", [0, 1, 3])
        matrix = self.homography or self.projection or []
        if [len(row) for row in matrix] != [columns[-1] + 1] * 3:
            raise ValueError(f"expected {name} as 3 rows of {columns[-1] + 1} numbers")
        if np.linalg.matrix_rank(np.array(matrix)[:, columns]) < 3:
            raise ValueError(f"{name} sees the ground as a line: expected independent rows")
        return self


class LiveConfig(Section):
    """How a live camera is read. Times are seconds.

    ``clock`` says whose time a frame has: the camera's own (RTCP), that of its arrival, or the
    camera's as long as it is plausible (auto). Of the frames that wait for the networks those of
    the last ``buffer_s`` are kept. A camera that is silent for ``late_s`` holds nobody up any
    longer. ``retry_s`` is the first wait after a loss; each is twice the one before, up to
    ``retry_max_s``.
    """

    transport: Literal["tcp", "udp"] = "tcp"
    clock: Literal["auto", "camera", "arrival"] = "auto"
    buffer_s: Seconds = 0.5
    late_s: Seconds = 3.0
    open_timeout_s: Seconds = 10.0
    read_timeout_s: Seconds = 5.0
    retry_s: Seconds = 0.5
    retry_max_s: Seconds = 10.0

    @model_validator(mode="after")
    def _times_fit(self) -> "LiveConfig":
        if self.retry_max_s < self.retry_s:
            raise ValueError("expected retry_max_s to be at least retry_s")
        if self.late_s <= self.buffer_s:
            raise ValueError("expected late_s to be more than buffer_s: what waits is not late")
        return self


class CameraConfig(Section):
    """One camera: where its pictures come from, when it started, how it sees the ground.

    ``source`` may be left out when the command line gives it. ``hwaccel`` is the hardware that
    decodes; where there is none of it, the processor does.
    """

    source: str | None = None
    start: datetime | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    hwaccel: Literal["none", "cuda", "vaapi", "qsv"] = "none"
    live: LiveConfig = LiveConfig()
    calibration: CameraCalibration | None = None

    @field_validator("start")
    @classmethod
    def _start_is_aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("expected a time with its zone, such as 2026-05-01T09:00:00Z")
        return value


class DetectorConfig(Section):
    """The person detector: an ultralytics model by name or path, and how it runs."""

    model: str = "yolo26n"
    backend: Literal["auto", "torch", "openvino", "onnx", "tensorrt"] = "auto"
    image_size: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 640
    min_score: Score = 0.1
    batch: Annotated[int, Field(ge=1, le=256)] = 4


class TrackerConfig(Section):
    """The single-camera tracker. ``buffer_s`` is how long a lost track may come back.

    ``auto`` is botsort, or, below 8 frames a second, link.

    ``embeddings`` shows every detection to the embedder, for trackers that look at people.
    """

    name: str = "auto"
    buffer_s: Seconds = 1.0
    embeddings: bool = False
    options: dict[str, Option] = Field(default_factory=dict)


class ReidConfig(Section):
    """The embedder, and which crops of a track it sees.

    A crop is taken at most every ``spacing_s`` seconds, the best one of that time, when its
    quality is at least ``min_quality``; ``exemplars`` are kept for each track.
    """

    model: str = "omni-scale-open"
    batch: Annotated[int, Field(ge=1, le=1024)] = 16
    min_quality: Score = 0.2
    spacing_s: Seconds = 0.5
    exemplars: Annotated[int, Field(ge=1, le=64)] = 8


class ScoreLine(Section):
    """What a cosine says of two crops: log-odds ``slope * (cosine - midpoint)`` of one person."""

    slope: Annotated[float, Field(gt=0)]
    midpoint: Annotated[float, Field(ge=-1, le=1)]


class Similarity(Section):
    """What cosines are worth within a camera and between two; ``strangers`` is the mean of two
    people's, where it was fitted.

    The default is that of a middling network; a fit on one's own people is better.
    """

    same_camera: ScoreLine = ScoreLine(slope=25.0, midpoint=0.65)
    other_cameras: ScoreLine = ScoreLine(slope=25.0, midpoint=0.5)
    strangers: Annotated[float, Field(ge=-1, le=1)] | None = None


class AssociationConfig(Section):
    """How tracklets become people. Times are seconds of event time, ``node_silent_s`` of a clock on
    the wall: after that nobody waits for the live cameras of a node from which nothing comes.

    ``similarity`` says what the cosines of one's own embeddings are worth; None takes what is known
    of the ReID network.
    """

    interval_s: Seconds = 1.0
    node_silent_s: Seconds = 10.0
    evidence_s: Annotated[float, Field(ge=0)] = 1.5
    min_exemplars: Annotated[int, Field(ge=1)] = 2
    min_confidence: Score = 0.5
    gallery_s: Seconds = 600.0
    max_speed: Annotated[float, Field(gt=0, description="metres a second")] = 3.0
    max_ground_distance: Annotated[float, Field(gt=0, description="metres")] = 1.5
    similarity: Similarity | None = None

    @model_validator(mode="after")
    def _silence_is_long(self) -> "AssociationConfig":
        if self.node_silent_s < 2 * self.interval_s:
            raise ValueError(
                "node_silent_s must be at least 2 * interval_s: a node at work is heard that often"
            )
        return self


class CameraLink(Section):
    """People walk from the view of one camera into that of the other, in both directions.

    ``seconds`` is the transition time: from the one view to the other at an ordinary pace, 0 where
    the views overlap.
    """

    between: tuple[Name, Name]
    seconds: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _two_cameras(self) -> "CameraLink":
        if self.between[0] == self.between[1]:
            raise ValueError("expected two cameras: a person can always come back to the same one")
        return self


class RecordingConfig(Section):
    """What is kept. Pictures of people only when asked for."""

    segment_s: Seconds = 5.0
    thumbnails: bool = False
    video: bool = False


class GroundOrigin(Section):
    """Where the ground's (0, 0) lies on the earth, and where its y axis points."""

    longitude: Annotated[float, Field(ge=-180, le=180)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    bearing_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0


class SiteConfig(Section):
    """Everything a run needs to know."""

    site: Name = "site"
    cameras: dict[Name, CameraConfig] = Field(default_factory=dict)
    camera_links: list[CameraLink] = Field(default_factory=list)
    device: str = "auto"
    redis: str | None = None
    origin: GroundOrigin | None = None
    detector: DetectorConfig = DetectorConfig()
    tracker: TrackerConfig = TrackerConfig()
    reid: ReidConfig = ReidConfig()
    association: AssociationConfig = AssociationConfig()
    recording: RecordingConfig = RecordingConfig()
    retention: RetentionConfig = RetentionConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    service: ServiceConfig = ServiceConfig()
    api: ApiConfig = ApiConfig()

    @model_validator(mode="after")
    def _people_outlast_their_tracks(self) -> "SiteConfig":
        if self.association.gallery_s < 2 * self.tracker.buffer_s + self.association.interval_s:
            raise ValueError(
                "association.gallery_s must be at least 2 * tracker.buffer_s + "
                "association.interval_s: a person must not be forgotten while a track is open"
            )
        return self
