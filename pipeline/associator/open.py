"""The association with the rules of a configuration."""

import time

from pipeline.associator.watermarks import Silence, WorkingTime
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError
from pipeline.reid.embedding import default_calibration, site_calibration
from pipeline.sources.source_kinds import kind_of, live_cameras
from trackers.association.appearance import Calibration
from trackers.association.association import Rules
from trackers.association.ground_association import GroundAssociation
from trackers.association.motion import Limits
from trackers.association.topology import Topology, topology_of


def association_of(config: SiteConfig) -> GroundAssociation:
    """The association with the rules of ``config``.

    Raises UserError when a camera link leads to a camera that is not there.
    """
    rules = config.association
    views = {camera_id: camera.view for camera_id, camera in config.cameras.items()}
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


def silence_of(config: SiteConfig) -> Silence:
    """Which live cameras of ``config`` are silent, counted from now on."""
    after_s = config.association.node_silent_s
    return Silence(live_cameras(config), after_s, WorkingTime(time.monotonic))


def _topology(config: SiteConfig) -> Topology:
    for link in config.camera_links:
        for camera_id in link.between:
            if camera_id not in config.cameras:
                raise UserError(
                    f"camera_links name camera {camera_id}, which the site does not have: expected "
                    f"one of {', '.join(config.cameras) or 'no cameras'}"
                )
    return topology_of({link.between: link.seconds for link in config.camera_links})


def _calibration(config: SiteConfig) -> Calibration:
    """The calibration of cosines; recorded embeddings come from a network of the user's own."""
    known = site_calibration(config)
    sources = [camera.source for camera in config.cameras.values()]
    recorded = bool(sources) and all(
        source is not None and kind_of(source) == "recorded" for source in sources
    )
    if recorded and config.association.similarity is None:
        return default_calibration()
    return known
