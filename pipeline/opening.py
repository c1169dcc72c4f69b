"""Opening what a run is made of: sources, models, streams, association. Nothing runs yet."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema import SiteConfig, TrackerConfig
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.node.camera import LINK, open_tracker, tracker_name, view_of
from pipeline.node.perception import Detects, Embeds
from pipeline.reid.embedding import (
    calibration_of,
    open_embedder,
    similarity_calibration,
    unknown_calibration,
)
from pipeline.sources import Source, open_source
from pipeline.sources.recorded import RecordedSource
from pipeline.sources.source_kinds import kind_of
from trackers.association.appearance import Calibration
from trackers.association.association import Rules
from trackers.association.ground_association import GroundAssociation
from trackers.association.motion import Limits
from trackers.association.topology import Topology, topology_of
from trackers.single_camera.boxmot import needs_image


def open_sources(config: SiteConfig, *, more_may_come: bool = False) -> list[Source]:
    """Open every source, so that a wrong one is known before anything starts.

    A live camera that cannot be reached is no reason not to start, unless there is nothing else
    and only a person can mend it.
    """
    if not config.cameras and not more_may_come:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    sources = [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]
    if any(source.live for source in sources):
        from pipeline.sources.live import probe

        probe(sources)
    return sources


def open_live_sources(config: SiteConfig, names: Sequence[str]) -> list[Source]:
    """Open cameras for a site that runs; who does not answer is only told.

    Raises UserError for an address that cannot be a camera's.
    """
    from pipeline.sources.live import call

    sources = [open_source(name, config.cameras[name]) for name in names]
    call(sources)
    return sources


def check_settings(config: SiteConfig, sources: list[Source]) -> None:
    """Raise UserError for what would otherwise fail only once frames flow."""
    open_tracker(config.tracker, fps=25)
    association_of(config)
    for source in sources:
        if isinstance(source, RecordedSource):
            _check_recorded(config.tracker, source)


def open_models(config: SiteConfig, sources: list[Source]) -> tuple[Detects | None, Embeds | None]:
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


def association_of(config: SiteConfig) -> GroundAssociation:
    """The association with the rules of ``config``.

    Raises UserError when a way leads to a camera that is not there.
    """
    rules = config.association
    views = {camera_id: view_of(config, camera_id) for camera_id in config.cameras}
    return GroundAssociation(
        Rules(
            evidence_s=rules.evidence_s,
            min_exemplars=rules.min_exemplars,
            min_confidence=rules.min_confidence,
            gallery_s=rules.gallery_s,
            limits=Limits(rules.max_speed, rules.max_ground_distance),
            calibration=_calibration(config),
            topology=_topology(config),
        ),
        {camera_id: view for camera_id, view in views.items() if view is not None},
    )


def _topology(config: SiteConfig) -> Topology:
    for way in config.ways:
        for camera_id in way.between:
            if camera_id not in config.cameras:
                raise UserError(
                    f"ways lead to camera {camera_id}, which the site does not have: expected one "
                    f"of {', '.join(config.cameras) or 'no cameras'}"
                )
    return topology_of({way.between: way.seconds for way in config.ways})


def _calibration(config: SiteConfig) -> Calibration:
    """What cosines are worth; recorded embeddings come from a network of the user's own."""
    if config.association.similarity is not None:
        return calibration_of(config.association.similarity)
    known = similarity_calibration(config.reid)
    sources = [camera.source for camera in config.cameras.values()]
    recorded = bool(sources) and all(
        source is not None and kind_of(source) == "recorded" for source in sources
    )
    return unknown_calibration() if recorded else known


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
