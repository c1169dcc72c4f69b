"""The OpenVINO form of a trained model, kept once its vectors were compared with PyTorch's.

To read a kept form takes neither PyTorch's networks nor a conversion, which together are most of
the processor time between a command and its first crop.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reid_model.atomic_file import move_folder
from reid_model.embedder import Embedder, Precision, openvino_embedder
from reid_model.fusion_embedder import FusionEmbedder
from reid_model.openvino_runtime import core, import_openvino, read_network
from reid_model.preprocess import EmbedderSpec
from reid_model.quantised import quantised_file

_LOG = logging.getLogger(__name__)
_SOURCES = Path(__file__).parent
_NETWORK, _FORM = "model.xml", "form.json"


@dataclass(frozen=True, slots=True)
class Form:
    """How the network of an OpenVINO file is used.

    ``precision`` is that of the computation, None for the fastest of the processor. ``widths`` are
    those of a `FusionEmbedder`, None for a network whose output is the ReID vector.
    """

    spec: EmbedderSpec
    precision: Precision | None
    widths: tuple[int, int, int] | None = None

    def open(self, network: Any, name: str, batch: int) -> Embedder:
        """The embedder of ``network``, which is modified. Raises ValueError if it does not fit."""
        embedder = openvino_embedder(network, name, self.spec, batch, self.precision)
        return embedder if self.widths is None else FusionEmbedder(embedder, self.widths)


def open_kept(path: Path, batch: int, folder: Path) -> Embedder | None:
    """The embedder of the model file ``path`` from its form in ``folder``; None if none is kept."""
    kept = _kept_as(path, folder)
    if kept is None or not kept.is_dir():
        return None
    try:
        values = json.loads((kept / _FORM).read_text())
        return _form(values).open(read_network(kept / _NETWORK), str(path), batch)
    except (OSError, ValueError, KeyError, TypeError):
        _LOG.warning("%s is damaged; %s is converted again", kept, path)
        shutil.rmtree(kept, ignore_errors=True)
        return None


def keep(path: Path, network: Any, form: Form, batch: int, folder: Path) -> Embedder | None:
    """Keep the OpenVINO ``network`` of the model file ``path`` in ``folder``, and open it there:
    what is read differs from ``network`` by roundings, and all runs are to give the same.

    Several processes may do it at once: a form appears complete or not at all. None if the folder
    cannot be written.
    """
    kept = _kept_as(path, folder)
    if kept is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".form-") as scratch:
            fresh = Path(scratch) / "form"
            fresh.mkdir()
            import_openvino().save_model(network, fresh / _NETWORK, compress_to_fp16=False)
            (fresh / _FORM).write_text(json.dumps(asdict(form)))
            move_folder(fresh, kept)
    except (OSError, RuntimeError) as error:
        _LOG.info("the OpenVINO form of %s cannot be kept in %s: %s", path, folder, error)
    return open_kept(path, batch, folder)


def _kept_as(path: Path, folder: Path) -> Path | None:
    """A folder named by everything that the form depends on; None without a model file."""
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    try:
        for file in (path, quantised_file(path), quantised_file(path).with_suffix(".bin")):
            digest.update(file.read_bytes() if file.is_file() else b"")
    except OSError:
        return None
    for source in sorted((_SOURCES / "networks").glob("*.py")) + sorted(_SOURCES.glob("*.py")):
        digest.update(source.read_bytes())
    for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES"):
        digest.update(str(core().get_property("CPU", name)).encode())
    return folder / f"{path.stem}-{digest.hexdigest()[:16]}-openvino{version('openvino')}"


def _form(values: dict[str, Any]) -> Form:
    spec = values["spec"]
    widths = values["widths"]
    return Form(
        EmbedderSpec(**{**spec, "mean": tuple(spec["mean"]), "std": tuple(spec["std"])}),
        values["precision"],
        None if widths is None else tuple(widths),
    )
