"""Opening what a run is made of: sources, models, streams, association. Nothing runs yet."""

from pipeline.bus.streams import Bus
from pipeline.config import SiteConfig
from pipeline.devices import resolve_device
from pipeline.embedding import open_embedder, similarity_calibration
from pipeline.errors import UserError
from pipeline.node import Detects, Embeds
from pipeline.sources import Source, open_source
from pipeline.sources.recorded import RecordedSource
from trackers.association.association import Association, Rules
from trackers.association.motion import Limits


def open_sources(config: SiteConfig) -> list[Source]:
    """Open every source, so that a wrong one is known before anything starts."""
    if not config.cameras:
        raise UserError("no source: give at least one video, folder, URL or detections file")
    return [open_source(camera_id, camera) for camera_id, camera in config.cameras.items()]


def open_models(config: SiteConfig, sources: list[Source]) -> tuple[Detects | None, Embeds | None]:
    """Detector and embedder, unless every source brings recorded detections."""
    if all(isinstance(source, RecordedSource) for source in sources):
        return None, None
    # Recorded detections need neither ultralytics nor its start-up time.
    from pipeline.detector import Detector

    device = resolve_device(config.device)
    return Detector(config.detector, device), open_embedder(config.reid, device)


def open_bus(url: str | None, site: str) -> Bus:
    """The streams of a site, made where they are not there yet."""
    if url is None:
        raise UserError("no Redis: give --redis URL or set redis in the configuration")
    bus = Bus(url, site)
    bus.declare()
    return bus


def association_of(config: SiteConfig) -> Association:
    """The association with the rules of ``config``."""
    rules = config.association
    return Association(
        Rules(
            evidence_s=rules.evidence_s,
            min_exemplars=rules.min_exemplars,
            min_confidence=rules.min_confidence,
            gallery_s=rules.gallery_s,
            limits=Limits(rules.max_speed, rules.max_ground_distance),
            calibration=similarity_calibration(config.reid),
        )
    )
