"""Checks the settings of a run, opens its models and makes its node, before anything runs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.analytics.places import check_places_of
from pipeline.associator.open import association_of
from pipeline.bus.streams import Bus
from pipeline.config.schema import SiteConfig, TrackerConfig
from pipeline.devices import resolve_device
from pipeline.errors import UserError
from pipeline.monitoring.progress import Tally
from pipeline.monitoring.watch import Watch
from pipeline.node.changes import SiteChanges
from pipeline.node.node import Node
from pipeline.node.own import NOTHING_OWN, CheckedDetector, CheckedEmbedder, CheckedTracker, Own
from pipeline.node.perception import CropEmbedder, PictureDetector, count_batches
from pipeline.node.tracker import LINK, PeopleTracker, open_tracker, tracker_name
from pipeline.reid.embedding import open_embedder
from pipeline.runtime.moments import MomentQueue
from pipeline.runtime.stopping import Stop
from pipeline.sources import Source
from pipeline.sources.open import open_sources
from pipeline.sources.recorded import RecordedSource
from reid_model.embedder import Embedder
from reid_model.openvino_runtime import core
from trackers.single_camera.boxmot import needs_image

if TYPE_CHECKING:
    from pipeline.detector import Detector


def check_settings(config: SiteConfig, sources: list[Source], own: Own = NOTHING_OWN) -> None:
    """Raise UserError for bad settings that would otherwise fail only once frames arrive."""
    if own.tracker is None:
        open_tracker(config.tracker, fps=25)
    else:
        CheckedTracker(own.tracker())
    if own.tracker is not None and config.tracker.options:
        raise UserError("tracker.options are for a configured tracker, not for one of your own")
    association_of(config)
    check_places_of(config, {s.camera_id: (s.width, s.height) for s in sources})
    for source in sources:
        if isinstance(source, RecordedSource):
            _check_recorded(config.tracker, source, own)


class Inputs(NamedTuple):
    """What a node reads and runs; the models are None when every source has detections."""

    sources: list[Source]
    detector: PictureDetector | None
    embedder: CropEmbedder | None


def open_inputs(
    config: SiteConfig, watch: Watch, own: Own = NOTHING_OWN, *, more_may_come: bool
) -> Inputs:
    """Open sources and models, and check the settings; ``watch`` shows them as loading.

    Raises UserError as `open_sources`, `check_settings` and `open_models`.
    """
    with watch.loading():
        sources = open_sources(config, more_may_come=more_may_come)
        check_settings(config, sources, own)
        return Inputs(sources, *count_batches(*open_models(config, sources, own), watch))


def make_node(
    config: SiteConfig,
    inputs: Inputs,
    bus: Bus,
    stop: Stop,
    tally: Tally,
    watch: Watch,
    changes: SiteChanges | None,
    out: Path | None = None,
    make_tracker: Callable[[], PeopleTracker] | None = None,
    moments: MomentQueue | None = None,
) -> Node:
    """The node with these ``inputs``. Without a run directory ``out`` it sends its thumbnails to
    the recorder, if any are kept. ``make_tracker`` makes trackers in place of the configured one.
    """
    kept = config.recording.thumbnails
    return Node(
        config,
        inputs.sources,
        bus,
        detector=inputs.detector,
        embedder=inputs.embedder,
        thumbnails=out / "thumbnails" if out and kept else None,
        send_thumbnails=kept and out is None,
        on_frames=tally.on_frames,
        on_tracked=None if moments is None else moments.on_tracked,
        make_tracker=None if make_tracker is None else lambda: CheckedTracker(make_tracker()),
        give_up=stop.hurry,
        watch=watch,
        changes=changes,
    )


def open_models(
    config: SiteConfig, sources: list[Source], own: Own = NOTHING_OWN
) -> tuple[PictureDetector | None, CropEmbedder | None]:
    """Open detector and embedder, but for those of ``own``; both are None when every source has
    recorded detections.

    Raises UserError when the embeddings of the run differ in dimension.
    """
    lengths = {
        f"camera {source.camera_id}": embeddings.shape[1]
        for source in sources
        if isinstance(source, RecordedSource) and (embeddings := _embeddings(source)) is not None
    }
    if sources and all(isinstance(source, RecordedSource) for source in sources):
        _check_lengths(lengths)
        if own.detector is not None or own.embedder is not None:
            raise UserError(
                "a detector or an embedder was given, and every source has recorded detections: "
                "there are no images to show it"
            )
        return None, None
    device = resolve_device(config.device)
    detector = _detector(config, device, own)
    if device == "cpu" and own.embedder is None:
        # In this thread, see there.
        core()
    # Not beside the opening of the detector, which may measure which form of it is faster.
    with ThreadPoolExecutor(1, "opening") as beside:
        opening = beside.submit(_embedder, config, device, own)
        if not isinstance(detector, CheckedDetector):
            filmed = [one for one in sources if not isinstance(one, RecordedSource)]
            detector.prepare({(one.height, one.width) for one in filmed})
    embedder = opening.result()
    _check_lengths({**lengths, f"ReID model {config.reid.model}": embedder.dimension})
    return detector, embedder


def _detector(config: SiteConfig, device: str, own: Own) -> "Detector | CheckedDetector":
    if own.detector is not None:
        return CheckedDetector(own.detector)
    # Imported here because recorded detections do not need ultralytics and its start-up time.
    from pipeline.detector import Detector

    return Detector(config.detector, device)


def _embedder(config: SiteConfig, device: str, own: Own) -> CheckedEmbedder | Embedder:
    if own.embedder is not None:
        return CheckedEmbedder(own.embedder)
    return open_embedder(config.reid, device)


def _check_recorded(tracker: TrackerConfig, source: RecordedSource, own: Own) -> None:
    """Raise UserError when the tracker needs what recorded detections do not have."""
    name = LINK if own.tracker is not None else tracker_name(tracker, source.fps)
    if name != LINK and needs_image(name, tracker.options):
        raise UserError(
            f"camera {source.camera_id} has recorded detections and no images: remove the options "
            f"cmc and asso_func: centroid of the tracker {name}"
        )
    if tracker.embeddings and _embeddings(source) is None:
        raise UserError(
            f"camera {source.camera_id} has recorded detections without the column embedding: "
            "add it, or set tracker.embeddings to false"
        )


def _embeddings(source: RecordedSource) -> NDArray[np.float32] | None:
    """The embeddings of the first frame: all frames have them with one dimension, or none has."""
    return next(source.frames()).detections.embeddings


def _check_lengths(lengths: dict[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} numbers from {name}" for name, length in lengths.items())
        raise UserError(f"expected all embeddings of a run from one network, got {found}")
