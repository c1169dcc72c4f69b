"""The ReID embedder of a site: its weights found and verified, its preprocessing looked up."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.schema import ReidConfig, Similarity
from pipeline.errors import UserError
from pipeline.weights import known_by_hash, load_manifest, weights_path
from pipeline.weights.manifest import ReidNetwork, own_network
from reid_model.embedder import Embedder, load_embedder
from reid_model.preprocess import EmbedderSpec
from trackers.association.appearance import Calibration, Line

if TYPE_CHECKING:
    # torch loads in seconds; an associator that takes over has none to lose.
    from reid_model.similarity import SimilarityFit

_TRAINED = ".safetensors"


def open_embedder(config: ReidConfig, device: str) -> Embedder:
    """Open ``config.model``: a ReID network of the manifest by name, or the path of a file.

    A ``.safetensors`` file is a model of `fusetrack reid train`, with its ``.json`` beside it. A
    file that the manifest knows by its hash needs nothing more. Another ``.onnx`` or ``.xml``
    file needs ``FILE.yaml`` beside it, which says what pictures the network expects:

        input:
          height: 256
          width: 128
          colour: rgb
          scale: 0.00392156862745098
          mean: [0.485, 0.456, 0.406]
          std: [0.229, 0.224, 0.225]

    Raises UserError for an unknown name, weights that are not here or not as they should be, and
    a file that is no such network.
    """
    path = weights_path(config.model, kind="reid")
    try:
        if path.suffix == _TRAINED:
            from reid_model.trained_embedder import open_trained

            return open_trained(path, device, config.batch)
        return load_embedder(path, _spec(_network(config.model)), device, config.batch)
    except ValueError as error:
        raise UserError(f"ReID model {config.model}: {error}") from error


def similarity_calibration(config: ReidConfig) -> Calibration:
    """What the cosines of ``config.model``'s vectors are worth as evidence.

    A name of the manifest needs no weights on this machine. Raises UserError as ``open_embedder``.
    """
    network = _described(config.model)
    if network is not None:
        return calibration_of(network.similarity)
    from reid_model.training.model_files import load_similarity

    try:
        fit = load_similarity(weights_path(config.model, kind="reid"))
    except ValueError as error:
        raise UserError(f"ReID model {config.model}: {error}") from error
    return _fitted(fit)


def unknown_calibration() -> Calibration:
    """What the cosines of a network of which nothing is known are worth: a middling one's."""
    return calibration_of(Similarity())


def _fitted(fit: "SimilarityFit | None") -> Calibration:
    """What travels with a trained model; a middling network's lines where it has none."""
    middling = unknown_calibration()
    if fit is None:
        return middling
    same, other = fit.same_camera, fit.other_cameras
    return Calibration(
        other_cameras=Line(other.slope, other.midpoint) if other else middling.other_cameras,
        same_camera=Line(same.slope, same.midpoint) if same else middling.same_camera,
        strangers=fit.strangers,
    )


def calibration_of(similarity: Similarity) -> Calibration:
    """What cosines are worth, out of a configuration or the manifest."""
    return Calibration(
        other_cameras=Line(similarity.other_cameras.slope, similarity.other_cameras.midpoint),
        same_camera=Line(similarity.same_camera.slope, similarity.same_camera.midpoint),
        strangers=similarity.strangers,
    )


def _described(name_or_path: str) -> ReidNetwork | None:
    """What is known of a network beside its weights; None for a model that says it itself."""
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
    known = known_by_hash(path)
    if known is None:
        return own_network(path)
    if known[1].network is None:
        raise UserError(f"{path} is not a ReID network: it is {known[0]}, a {known[1].kind}")
    return known[1].network


def _spec(network: ReidNetwork) -> EmbedderSpec:
    expected = network.input
    return EmbedderSpec(
        architecture=network.architecture,
        height=expected.height,
        width=expected.width,
        colour=expected.colour,
        scale=expected.scale,
        mean=_triple(expected.mean),
        std=_triple(expected.std),
    )


def _triple(values: list[float]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]
