"""`fusetrack reid export`: export a trained model to other formats."""

from dataclasses import asdict
from pathlib import Path

import yaml

from pipeline.errors import UserError, unknown_name
from pipeline.weights import weights_path
from reid_model.export import FORMATS, export_model
from reid_model.networks.fused import FusedEmbedder
from reid_model.preprocess import EmbedderSpec
from reid_model.similarity import SimilarityFit
from reid_model.trained_embedder import trained_spec
from reid_model.training.model_files import load_model
from reid_model.weights_header import load_similarity


def trained_network(name_or_path: str) -> tuple[FusedEmbedder, EmbedderSpec]:
    """A model of `fusetrack reid train`, in PyTorch in eval mode, and its input specification.

    Raises UserError for another kind of network, and as `weights_path` and `load_model`.
    """
    path = weights_path(name_or_path, kind="reid")
    if path.suffix != ".safetensors":
        raise UserError(
            f"{name_or_path} is not a model of `fusetrack reid train`: expected a .safetensors file"
        )
    try:
        network, recipe = load_model(path)
    except ValueError as error:
        raise UserError(f"ReID model {name_or_path}: {error}") from error
    return network, trained_spec(recipe)


def export_file(name_or_path: str, how: str, out: Path) -> float:
    """Write the model in the format ``how``; returns the smallest cosine to PyTorch's embeddings.

    For ONNX and OpenVINO, ``OUT.yaml`` is written as well, so that `fusetrack run --reid OUT` can
    open it. Raises UserError as `trained_network`, for an unknown format, a missing folder, and
    embeddings that differ from PyTorch's.
    """
    if how not in FORMATS:
        raise unknown_name("format", how, FORMATS)
    network, spec = trained_network(name_or_path)
    try:
        cosine = export_model(network, spec, how, out)
        if how != "torchscript":
            fit = load_similarity(weights_path(name_or_path, kind="reid"))
            out.with_name(f"{out.name}.yaml").write_text(_description(spec, fit))
    except ValueError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return cosine


def _description(spec: EmbedderSpec, fit: SimilarityFit | None) -> str:
    """The YAML that `pipeline.weights.manifest.network_beside` reads."""
    expected = asdict(spec)
    values = {"input": {**expected, "mean": list(spec.mean), "std": list(spec.std)}}
    if fit is not None:
        fitted = {name: value for name, value in asdict(fit).items() if value is not None}
        values["similarity"] = fitted
    return yaml.safe_dump(values, sort_keys=False)
