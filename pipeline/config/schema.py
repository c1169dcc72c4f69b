"""The schema of a site's configuration; unknown keys are errors."""

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from pipeline.areas import Point, is_on_a_line, line_fault, polygon_fault
from pipeline.config.fields import Matrix, Name, Option, Score, Seconds, Section
from trackers.ground.view import View, view_of_homography

#: How the configuration of a run names a detector, tracker or embedder that a program brought.
OWN = "own:"

#: Which part of every person is blurred in pictures.
Blur = Literal["none", "faces", "bodies"]


class RetentionConfig(Section):
    """How long recorded data is kept, in seconds; None keeps it indefinitely.

    A tracklet is removed with its embedding and thumbnail, so a thumbnail is never kept longer
    than ``tracklets_s``. Without its identity an observation is an anonymous box.
    """

    observations_s: Seconds | None = None
    tracklets_s: Seconds | None = None
    identities_s: Seconds | None = None
    thumbnails_s: Seconds | None = None
    video_s: Seconds | None = None

    @property
    def shortest_s(self) -> float | None:
        """The shortest retention; None when everything is kept indefinitely."""
        given = [seconds for _, seconds in self if seconds is not None]
        return min(given, default=None)


class PrivacyConfig(Section):
    """What is blurred in all pictures that are written: thumbnails, videos and previews."""

    blur: Blur = "none"


LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/@\s]+):(?P<port>\d{1,5})")
_MOST_PORT = 65_535


def host_and_port(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, an IPv6 host without its brackets.

    Raises ValueError for any other text.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _MOST_PORT:
        raise ValueError("expected HOST:PORT, such as 127.0.0.1:9100")
    return found["host"].strip("[]"), int(found["port"])


def _check_address(address: str) -> str:
    host_and_port(address)
    return address


class ServiceConfig(Section):
    """Monitoring and logging of a process.

    ``metrics`` is the address that serves /metrics, /healthz and /readyz; None serves nothing.
    ``hosts`` are the names with a dot by which it may be asked; others that a web page could have
    taken are refused. A process whose main loop makes no progress for ``stalled_s`` seconds is
    reported as unhealthy.
    """

    metrics: Annotated[str, AfterValidator(_check_address)] | None = None
    hosts: list[str] = Field(default_factory=list)
    stalled_s: Annotated[float, Field(gt=0)] = 60.0
    log_format: LogFormat = "text"
    log_level: LogLevel = "warning"


class ApiUser(Section):
    """A user of the live API."""

    token: Annotated[SecretStr, Field(description="the access token of this user alone")]
    role: Annotated[
        Literal["viewer", "editor"], Field(description="an editor may correct, a viewer only read")
    ] = "viewer"


class ApiConfig(Section):
    """Address, access and content of the live API.

    ``token`` may come from the environment instead; it, or one of ``users``, is required when
    listening on more than this computer. Who has it is an editor called api; each of ``users`` has
    a token of their own. ``pictures`` lets nodes send preview pictures of their cameras to viewers.
    A preview has at most ``preview_px`` pixels on its longer side and ``preview_fps`` pictures per
    second.
    """

    listen: str = "127.0.0.1:8710"
    token: SecretStr | None = None
    users: dict[Name, ApiUser] = Field(default_factory=dict)
    pictures: bool = True
    preview_px: Annotated[int, Field(ge=64, le=3840)] = 960
    preview_fps: Annotated[float, Field(gt=0, le=25)] = 5.0

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host_and_port(value)
        return value


#: The types of the events of a site that a webhook or a broker may choose.
EventType = Literal[
    "identity",
    "camera",
    "enter",
    "leave",
    "dwell",
    "cross",
    "correction",
    "run",
    "end",
    "forget",
]


class WebhookConfig(Section):
    """A web address to which the live API sends events, as JSON with POST.

    All types of ``events`` if none is named. An event that was not taken after ``attempts`` is
    lost. Address and ``headers`` may hold secrets: they come into no log and no run directory.
    """

    url: Annotated[SecretStr, Field(description="http:// or https:// address of the receiver")]
    events: Annotated[
        list[EventType], Field(description="types of events to send; empty for all")
    ] = Field(default_factory=list)
    headers: Annotated[
        dict[str, SecretStr], Field(description="further headers, such as Authorization")
    ] = Field(default_factory=dict)
    timeout_s: Annotated[Seconds, Field(description="seconds to wait for an answer")] = 5.0
    attempts: Annotated[int, Field(ge=1, le=20, description="attempts to send an event")] = 5

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address that begins with http:// or https://")
        return value


class MqttConfig(Section):
    """An MQTT broker to which the live API sends events, as JSON to ``TOPIC/SITE/TYPE``.

    All types of ``events`` if none is named. ``url`` may hold a password: it comes into no log and
    no run directory. ``ca`` is who signed the broker's certificate, by default whom this computer
    trusts; ``certificate`` and ``key`` are those of the API.
    """

    url: Annotated[
        SecretStr,
        Field(description="mqtt:// or, with TLS, mqtts:// [USER:PASSWORD@]HOST[:PORT] of a broker"),
    ]
    topic: Annotated[str, Field(description="first part of all topics")] = "fusetrack"
    events: Annotated[
        list[EventType], Field(description="types of events to send; empty for all")
    ] = Field(default_factory=list)
    ca: Annotated[str | None, Field(description="PEM file of an authority")] = None
    certificate: Annotated[str | None, Field(description="PEM file of the client")] = None
    key: Annotated[str | None, Field(description="PEM file of the client's key")] = None

    @field_validator("url")
    @classmethod
    def _is_mqtt(cls, value: SecretStr) -> SecretStr:
        expected = ValueError(
            "expected mqtt:// or mqtts:// and [USER:PASSWORD@]HOST[:PORT], with special characters "
            "of the password as %40 for @, %2F for / and %23 for #"
        )
        try:
            parts = urlsplit(value.get_secret_value())
            known = parts.scheme in ("mqtt", "mqtts") and parts.hostname and parts.port != 0
        except ValueError:
            # urllib would name the password.
            raise expected from None
        if not known or parts.path.strip("/") or parts.query or parts.fragment:
            raise expected
        return value

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, value: str) -> str:
        if not value.strip("/") or value.startswith("$") or set(value) & set("+#\0"):
            raise ValueError("expected a topic such as building/fusetrack, without + and #")
        return value.strip("/")

    @model_validator(mode="after")
    def _files_fit(self) -> "MqttConfig":
        if self.key is not None and self.certificate is None:
            raise ValueError("expected a certificate beside the key")
        return self


class CameraCalibration(Section):
    """The ground calibration of a camera: exactly one of the two matrices.

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
            raise ValueError(f"{name} maps the ground to a line: expected independent rows")
        return self


class LiveConfig(Section):
    """How a live camera is read. Times are seconds.

    ``clock`` selects the timestamps: the camera's own (RTCP), the arrival time, or the camera's as
    long as they are plausible (auto). Frames that wait longer than ``buffer_s`` for the networks
    are dropped. A camera that sends nothing for ``late_s`` is no longer waited for. ``retry_s`` is
    the first reconnect delay; it doubles with each attempt, up to ``retry_max_s``.
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
            raise ValueError("expected late_s to be more than buffer_s: no buffered frame is late")
        return self


class CameraConfig(Section):
    """One camera: its source, start time, frame rate and calibration.

    ``source`` may be omitted when the command line gives it. ``stream`` selects a video stream of
    a file that has several, counted from 1. ``hwaccel`` selects a hardware decoder; where it is
    unavailable, the CPU decodes.
    """

    source: str | None = None
    stream: Annotated[int, Field(ge=1)] | None = None
    start: datetime | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    hwaccel: Literal["none", "cuda", "vaapi", "qsv"] = "none"
    live: LiveConfig = LiveConfig()
    calibration: CameraCalibration | None = None

    @field_validator("start")
    @classmethod
    def _start_is_aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("expected a time with a time zone, such as 2026-05-01T09:00:00Z")
        return value

    @property
    def view(self) -> View | None:
        """The view of the camera on the ground; None when it is not calibrated."""
        if self.calibration is None:
            return None
        if self.calibration.homography is not None:
            return view_of_homography(np.array(self.calibration.homography, np.float64))
        return View(np.array(self.calibration.projection, np.float64))


# People who walk move little more than half their width between two frames.
_AUTO_PER_S = 10.0


class DetectorConfig(Section):
    """The person detector: an ultralytics model by name or path, its backend and its settings.

    ``precision`` auto runs yolo26n in eight bits (int8) on processors where that is faster.
    ``rate`` is how many frames a second of each camera the detector sees at most, and none while
    nothing moves; auto is 10, all is every frame. Between these frames boxes are predicted.
    """

    model: str = "yolo26n"
    backend: Literal["auto", "torch", "openvino", "onnx", "tensorrt"] = "auto"
    precision: Literal["auto", "float", "int8"] = "auto"
    image_size: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 640
    min_score: Score = 0.1
    batch: Annotated[int, Field(ge=1, le=256)] = 4
    rate: Literal["all", "auto"] | Annotated[float, Field(gt=0)] = "all"

    @property
    def most_per_s(self) -> float | None:
        """The most frames a second of a camera that the detector sees; None for every frame."""
        if self.rate == "all":
            return None
        return _AUTO_PER_S if self.rate == "auto" else self.rate


class TrackerConfig(Section):
    """The single-camera tracker. A lost track is kept for ``buffer_s`` seconds.

    ``auto`` selects botsort, or link below 8 frames per second. ``embeddings`` embeds every
    detection, for trackers that use appearance.
    """

    name: str = "auto"
    buffer_s: Seconds = 1.0
    embeddings: bool = False
    options: dict[str, Option] = Field(default_factory=dict)


class ReidConfig(Section):
    """The embedder, and the selection of crops of a track that are embedded.

    The best crop of every ``spacing_s`` seconds is embedded if its quality is at least
    ``min_quality``, after four such crops that of every four times as long unless the track may
    show another person; the best ``exemplars`` embeddings are kept for each track.
    """

    model: str = "fusion-people"
    batch: Annotated[int, Field(ge=1, le=1024)] = 8
    min_quality: Score = 0.2
    spacing_s: Seconds = 0.5
    exemplars: Annotated[int, Field(ge=1, le=64)] = 8


class Similarity(Section):
    """Score calibration of the cosine of two sets of crops, fitted by `bench similarity`.

    The log-odds of the same person are ``slope * (cosine - midpoint)`` for two visits with many
    crops, after removing the component that all people share. ``common`` is the mean cosine of
    impostor pairs before that, ``spread`` their standard deviation after it; ``visit`` is the share
    of a visit that is not due to the person, and ``crop`` the variation added by a single crop.

    The defaults suit an average network; a fit on your own people is better.
    """

    slope: Annotated[float, Field(gt=0, description="log-odds per unit of cosine")] = 22.0
    midpoint: Annotated[
        float, Field(ge=-1, le=1, description="cosine at which both answers are equally likely")
    ] = 0.3
    common: Annotated[float, Field(ge=0, lt=1)] = 0.3
    spread: Annotated[float, Field(gt=0, le=1)] = 0.12
    visit: Annotated[float, Field(gt=0, lt=1)] = 0.35
    crop: Annotated[float, Field(ge=0)] = 0.4


class AssociationConfig(Section):
    """The association of tracklets across cameras. Times are seconds of event time.

    ``node_silent_s`` is wall-clock time: live cameras of a node that sends nothing for that long
    are no longer waited for. ``similarity`` is the score calibration of your own embeddings; None
    uses that of the ReID network.
    """

    interval_s: Seconds = 1.0
    node_silent_s: Seconds = 10.0
    evidence_s: Annotated[float, Field(ge=0)] = 1.5
    min_exemplars: Annotated[int, Field(ge=1)] = 2
    min_confidence: Score = 0.5
    gallery_s: Seconds = 600.0
    max_speed: Annotated[float, Field(gt=0, description="metres per second")] = 3.0
    max_ground_distance: Annotated[float, Field(gt=0, description="metres")] = 1.5
    similarity: Similarity | None = None

    @model_validator(mode="after")
    def _silence_is_long(self) -> "AssociationConfig":
        if self.node_silent_s < 2 * self.interval_s:
            raise ValueError(
                "node_silent_s must be at least 2 * interval_s: a running node sends that often"
            )
        return self


class CameraLink(Section):
    """A camera link: people walk between the views of two cameras, in both directions.

    ``seconds`` is the transition time from one view to the other at walking pace, 0 where the
    views overlap.
    """

    between: Annotated[tuple[Name, Name], Field(description="names of the two cameras")]
    seconds: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _two_cameras(self) -> "CameraLink":
        if self.between[0] == self.between[1]:
            raise ValueError("expected two different cameras: returning to one needs no link")
        return self


class ZoneConfig(Section):
    """An area whose visitors are counted: a polygon with the corners ``points``.

    They are pixels of the picture of ``camera``, in which a person is where the bottom of the box
    is, or without a camera metres on the ground. Who is in it for ``dwell_s`` seconds is an event
    to review; None for nobody.
    """

    camera: Name | None = None
    points: list[Point]
    dwell_s: Annotated[
        float | None, Field(gt=0, description="seconds in it that are an event to review")
    ] = None

    @field_validator("points")
    @classmethod
    def _is_polygon(cls, value: list[Point]) -> list[Point]:
        return _checked(value, polygon_fault(value))


class LineConfig(Section):
    """A line whose crossings are counted, by direction; ``points`` are its two ends.

    They are pixels of the picture of ``camera``, or without a camera metres on the ground.
    ``to_right`` and ``to_left`` name the directions, as seen from the first end to the second: on
    the ground from above, with y to the left of x.
    """

    camera: Name | None = None
    points: list[Point]
    to_right: Name = "right"
    to_left: Name = "left"

    @field_validator("points")
    @classmethod
    def _is_line(cls, value: list[Point]) -> list[Point]:
        return _checked(value, line_fault(value))

    @model_validator(mode="after")
    def _two_directions(self) -> "LineConfig":
        if self.to_right == self.to_left:
            raise ValueError("expected different names in to_right and to_left")
        return self


def _checked(points: list[Point], fault: str | None) -> list[Point]:
    if fault is not None:
        raise ValueError(fault)
    return points


class PlanPoint(Section):
    """A point of the floor plan: pixels of its ``picture``, and metres on the ``ground``."""

    picture: Annotated[Point, Field(description="x and y in pixels of the plan")]
    ground: Annotated[Point, Field(description="x and y in metres")]


class PlanConfig(Section):
    """A floor plan for the map: a ``picture`` (png, jpg or webp) placed on the ground by three
    ``points``.
    """

    picture: Annotated[str, Field(min_length=1, description="path of the picture")]
    points: Annotated[list[PlanPoint], Field(min_length=3, max_length=3)]

    @field_validator("points")
    @classmethod
    def _are_apart(cls, value: list[PlanPoint]) -> list[PlanPoint]:
        for name in ("picture", "ground"):
            if is_on_a_line([getattr(point, name) for point in value]):
                raise ValueError(f"expected three points that are not on a line, see their {name}")
        return value

    @property
    def to_ground(self) -> NDArray[np.float64]:
        """The ``(3, 3)`` affine map from pixels of the plan to ground metres."""
        pixels = np.array([(*point.picture, 1.0) for point in self.points])
        metres = np.array([(*point.ground, 1.0) for point in self.points])
        return np.asarray(np.linalg.solve(pixels, metres).T)


class RecordingConfig(Section):
    """What is recorded. Pictures of people only if enabled."""

    segment_s: Seconds = 5.0
    thumbnails: bool = False
    video: bool = False


class GroundOrigin(Section):
    """The location of the ground's (0, 0) in degrees (WGS 84), and the bearing of its y axis."""

    longitude: Annotated[float, Field(ge=-180, le=180, description="degrees east, WGS 84")]
    latitude: Annotated[float, Field(ge=-90, le=90, description="degrees north, WGS 84")]
    bearing_deg: Annotated[
        float,
        Field(ge=-360, le=360, description="direction of the y axis, clockwise from north"),
    ] = 0.0


class SiteConfig(Section):
    """The whole configuration of a site."""

    site: Name = "site"
    cameras: dict[Name, CameraConfig] = Field(default_factory=dict)
    camera_links: list[CameraLink] = Field(default_factory=list)
    zones: dict[Name, ZoneConfig] = Field(default_factory=dict)
    lines: dict[Name, LineConfig] = Field(default_factory=dict)
    plan: PlanConfig | None = None
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
    webhooks: list[WebhookConfig] = Field(default_factory=list)
    mqtt: list[MqttConfig] = Field(default_factory=list)

    @model_validator(mode="after")
    def _people_outlast_their_tracks(self) -> "SiteConfig":
        if self.association.gallery_s < 2 * self.tracker.buffer_s + self.association.interval_s:
            raise ValueError(
                "association.gallery_s must be at least 2 * tracker.buffer_s + "
                "association.interval_s: a person must not be forgotten while a track is open"
            )
        return self
