"""The ReID embedder of a site: find its weights, preprocessing and score calibration."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.config.schema import OWN, ReidConfig, Similarity, SiteConfig
from pipeline.errors import UserError
from pipeline.paths import cache_folder
from pipeline.weights import entry_by_hash, load_manifest, weights_path
from pipeline.weights.manifest import ReidNetwork, WeightsFile, network_beside
from pipeline.weights.store import sha256_of
from reid_model.embedder import Embedder, load_embedder
from reid_model.kept_form import open_kept
from reid_model.preprocess import EmbedderSpec
from reid_model.similarity import SimilarityFit
from reid_model.weights_header import is_fusion, load_similarity
from trackers.association.appearance import Calibration
from trackers.single_camera.continuity import SamePerson

_TRAINED = ".safetensors"


def open_embedder(config: ReidConfig, device: str) -> Embedder:
    """Open ``config.model``: the name of a ReID network in the manifest, or the path of a file.

    A ``.safetensors`` file is a model of `fusetrack reid train`, with its ``.json`` beside it. A
    file whose hash is in the manifest needs nothing more. Any other ``.onnx`` or ``.xml`` file
    needs ``FILE.yaml`` beside it, which describes the input of the network:

        input:
          height: 256
          width: 128
          colour: rgb
          scale: 0.00392156862745098
          mean: [0.485, 0.456, 0.406]
          std: [0.229, 0.224, 0.225]

    Raises UserError for an unknown name, missing or damaged weights, and a file that is not a ReID
    network.
    """
    path = weights_path(config.model, kind="reid")
    try:
        if path.suffix == _TRAINED:
            return _open_trained(path, device, config.batch)
        return load_embedder(path, _spec(_network(config.model)), config.batch)
    except ValueError as error:
        raise UserError(f"ReID model {config.model}: {error}") from error


def _open_trained(path: Path, device: str, batch: int) -> Embedder:
    forms = cache_folder() / "exports"
    kept = open_kept(path, batch, forms) if device == "cpu" else None
    if kept is not None:
        return kept
    from reid_model.trained_embedder import open_trained
    from reid_model.trained_fusion import open_fusion

    return (open_fusion if is_fusion(path) else open_trained)(path, device, batch, forms)


def model_hash(name_or_path: str) -> str:
    """A ReID network by its weights, 16 hexadecimal digits: vectors of two are never compared.

    Empty for one that a program brought, of which nothing is known. Raises UserError as
    `open_embedder`. For a name of the manifest, the weights need not be installed.
    """
    if name_or_path.startswith(OWN):
        return ""
    entry = load_manifest().get(name_or_path)
    if entry is not None:
        return next(iter(_weights_first(entry.files))).sha256[:16]
    path = weights_path(name_or_path, kind="reid")
    beside = path.with_suffix(".bin")
    # An .xml file says only how the network is built.
    return sha256_of(beside if path.suffix == ".xml" and beside.is_file() else path)[:16]


def _weights_first(files: Mapping[str, WeightsFile]) -> list[WeightsFile]:
    return [files[name] for name in sorted(files, key=lambda name: not name.endswith(".bin"))]


def similarity_calibration(config: ReidConfig) -> Calibration:
    """The score calibration of the embeddings of ``config.model``.

    For a name of the manifest, the weights need not be installed. Raises UserError as
    `open_embedder`.
    """
    if config.model.startswith(OWN):
        return default_calibration()
    network = _network_if_described(config.model)
    if network is not None:
        given = network.similarity
        return default_calibration() if given is None else calibration_of(given)
    try:
        fit = load_similarity(weights_path(config.model, kind="reid"))
    except ValueError as error:
        raise UserError(f"ReID model {config.model}: {error}") from error
    return _calibration_of_fit(fit)


def same_person(config: SiteConfig) -> SamePerson:
    """From which cosine on two crops of one track show one person."""
    calibration = site_calibration(config)
    return SamePerson(calibration.midpoint, calibration.common)


def site_calibration(config: SiteConfig) -> Calibration:
    """The score calibration that the site configures, else that of its ReID network."""
    if config.association.similarity is not None:
        return calibration_of(config.association.similarity)
    return similarity_calibration(config.reid)


def default_calibration() -> Calibration:
    """The score calibration of an average network, for one that was not calibrated."""
    return replace(calibration_of(Similarity()), fitted=False)


def _calibration_of_fit(fit: SimilarityFit | None) -> Calibration:
    """The calibration stored with a trained model; the default where it has none."""
    return default_calibration() if fit is None else Calibration(**asdict(fit))


def calibration_of(similarity: Similarity) -> Calibration:
    """The score calibration given by a configuration or the manifest."""
    return Calibration(**similarity.model_dump())


def _network_if_described(name_or_path: str) -> ReidNetwork | None:
    """The description of a network; None for a trained model, which contains its own."""
    entry = load_manifest().get(name_or_path)
    if entry is not None and entry.kind == "reid":
        return entry.network
    trained = Path(name_or_path).suffix == _TRAINED
    return None if trained else _network(name_or_path)


def _network(name_or_path: str) -> ReidNetwork:
    entry = load_manifest().get(name_or_path)
    if entry is not None and entry.network is not None:
        return entry.network
    path = weights_path(name_or_path, kind="reid")
    known = entry_by_hash(path)
    if known is None:
        return network_beside(path)
    if known[1].network is None:
        raise UserError(f"{path} is not a ReID network: it is {known[0]}, a {known[1].kind}")
    return known[1].network


def _spec(network: ReidNetwork) -> EmbedderSpec:
    expected = network.input
    return EmbedderSpec(
        height=expected.height,
        width=expected.width,
        colour=expected.colour,
        scale=expected.scale,
        mean=_triple(expected.mean),
        std=_triple(expected.std),
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]
