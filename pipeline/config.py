"""The configuration of a site: YAML in, checked values out, unknown keys refused."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import UserError

Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Matrix = list[list[float]]


class Section(BaseModel):
    """A part of the configuration. Unknown keys are errors; values do not change later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Calibration(Section):
    """How a camera sees the ground: one of the two.

    ``projection`` is 3x4 from world metres to pixels; ``homography`` is 3x3 from ground metres to
    pixels.
    """

    projection: Matrix | None = None
    homography: Matrix | None = None

    @model_validator(mode="after")
    def _one_matrix(self) -> "Calibration":
        if (self.projection is None) == (self.homography is None):
            raise ValueError("expected exactly one of projection and homography")
        matrix, columns = (self.projection, 4) if self.projection else (self.homography, 3)
        if matrix is None or [len(row) for row in matrix] != [columns] * 3:
            raise ValueError(f"expected 3 rows of {columns} numbers")
        return self


class CameraConfig(Section):
    """One camera: where its pictures come from, when it started, how it sees the ground.

    ``source`` may be left out when the command line gives it.
    """

    source: str | None = None
    start: datetime | None = None
    fps: Annotated[float, Field(gt=0)] | None = None
    calibration: Calibration | None = None

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

    ``embeddings`` shows every detection to the embedder, for trackers that look at people.
    """

    name: str = "botsort"
    buffer_s: Seconds = 1.0
    embeddings: bool = False
    options: dict[str, bool | int | float | str] = {}


class ReidConfig(Section):
    """The embedder, and which crops of a track it sees.

    A crop is taken at most every ``spacing_s`` seconds, the best one of that time, when its
    quality is at least ``min_quality``; ``exemplars`` are kept for each track.
    """

    model: str = "deepsort-market1501"
    batch: Annotated[int, Field(ge=1, le=1024)] = 32
    min_quality: Score = 0.1
    spacing_s: Seconds = 0.5
    exemplars: Annotated[int, Field(ge=1, le=64)] = 8


class AssociationConfig(Section):
    """How tracklets become people. Times are seconds of event time."""

    interval_s: Seconds = 1.0
    evidence_s: Annotated[float, Field(ge=0)] = 1.5
    min_exemplars: Annotated[int, Field(ge=1)] = 2
    min_confidence: Score = 0.5
    gallery_s: Seconds = 600.0
    max_speed: Annotated[float, Field(gt=0, description="metres a second")] = 3.0
    max_ground_distance: Annotated[float, Field(gt=0, description="metres")] = 1.5


class RecordingConfig(Section):
    """What is kept. Pictures of people only when asked for."""

    segment_s: Seconds = 5.0
    thumbnails: bool = False
    video: bool = False


class Origin(Section):
    """Where the ground's (0, 0) lies on the earth, and where its y axis points."""

    longitude: Annotated[float, Field(ge=-180, le=180)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    bearing_deg: Annotated[float, Field(ge=-360, le=360)] = 0.0


class SiteConfig(Section):
    """Everything a run needs to know."""

    site: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "site"
    cameras: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")], CameraConfig] = {}
    device: str = "auto"
    redis: str | None = None
    origin: Origin | None = None
    detector: DetectorConfig = DetectorConfig()
    tracker: TrackerConfig = TrackerConfig()
    reid: ReidConfig = ReidConfig()
    association: AssociationConfig = AssociationConfig()
    recording: RecordingConfig = RecordingConfig()


class _Loader(yaml.SafeLoader):
    """YAML in which a key written twice is an error, not a silent last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise UserError(f"{mark.name}: line {mark.line + 1}: {key!r} is given twice")
        return dict(super().construct_mapping(node, deep))


def load_config(path: Path) -> SiteConfig:
    """Read and check a YAML file. Raises UserError that names the file, the key and the fault."""
    try:
        with path.open(encoding="utf-8") as file:
            # A SafeLoader with one more check.
            values = yaml.load(file, Loader=_Loader)
    except OSError as error:
        raise UserError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict | None):
        raise UserError(
            f"{path}: expected keys and values at the top, got a {type(values).__name__}"
        )
    return check_config(values or {}, str(path))


def check_config(values: dict[str, object], origin: str) -> SiteConfig:
    """Check plain values. ``origin`` is named in the UserError that a wrong one raises."""
    try:
        return SiteConfig.model_validate(values)
    except ValidationError as error:
        raise UserError(_first_fault(error, origin)) from None


def _first_fault(error: ValidationError, origin: str) -> str:
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{origin}: unknown key {key!r}. {_keys_at(fault['loc'])}"
    got = "" if isinstance(fault["input"], dict) else f", got {fault['input']!r}"
    return f"{origin}: {key}: {fault['msg']}{got}"


def _keys_at(location: tuple[int | str, ...]) -> str:
    from difflib import get_close_matches

    model: type[BaseModel] = SiteConfig
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        kind = field.annotation if field else None
        if str(part) == "cameras" or kind is None:
            model = CameraConfig
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            model = kind
        else:
            model = Calibration
    known = list(model.model_fields)
    near = get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}"
