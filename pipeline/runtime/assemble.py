"""Opening what a run is made of: sources, models, streams, association. Nothing runs yet."""

import numpy as np
from numpy.typing import NDArray

from pipeline.associator.open import association_of
from pipeline.config.schema import SiteConfig, TrackerConfig
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.node.open_tracker import LINK, open_tracker, tracker_name
from pipeline.node.perception import CropEmbedder, PeopleDetector
from pipeline.reid.embedding import (
    open_embedder,
)
from pipeline.sources import Source
from pipeline.sources.recorded import RecordedSource
from trackers.single_camera.boxmot import needs_image


def check_settings(config: SiteConfig, sources: list[Source]) -> None:
    """Raise UserError for what would otherwise fail only once frames flow."""
    open_tracker(config.tracker, fps=25)
    association_of(config)
    for source in sources:
        if isinstance(source, RecordedSource):
            _check_recorded(config.tracker, source)


def open_models(
    config: SiteConfig, sources: list[Source]
) -> tuple[PeopleDetector | None, CropEmbedder | None]:
    """Detector and embedder, unless every source brings recorded detections.

    Raises UserError when recorded embeddings cannot be compared with the others.
    """
    lengths = {
        f"camera {source.camera_id}": embeddings.shape[1]
        for source in sources
        if isinstance(source, RecordedSource) and (embeddings := _embeddings(source)) is not None
    }
    if sources and all(isinstance(source, RecordedSource) for source in sources):
        _check_lengths(lengths)
        return None, None
    # Recorded detections need neither ultralytics nor its start-up time.
    from pipeline.detector import Detector

    device = resolve_device(config.device)
    detector, embedder = Detector(config.detector, device), open_embedder(config.reid, device)
    _check_lengths({**lengths, f"ReID model {config.reid.model}": embedder.dimension})
    return detector, embedder


def _check_recorded(tracker: TrackerConfig, source: RecordedSource) -> None:
    """Whether recorded detections have what the tracker looks at."""
    name = tracker_name(tracker, source.fps)
    if name != LINK and needs_image(name, tracker.options):
        raise UserError(
            f"camera {source.camera_id} has recorded detections, no pictures: leave out the "
            f"options cmc and asso_func: centroid of the tracker {name}"
        )
    if tracker.embeddings and _embeddings(source) is None:
        raise UserError(
            f"camera {source.camera_id} has recorded detections without the column embedding: "
            "add it, or set tracker.embeddings to false"
        )


def _embeddings(source: RecordedSource) -> NDArray[np.float32] | None:
    """Those of the first frame: all frames have them, of one length, or none has."""
    return next(source.frames()).detections.embeddings


def _check_lengths(lengths: dict[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{length} numbers from {name}" for name, length in lengths.items())
        raise UserError(f"embeddings of one run must come from one network, got {told}")
