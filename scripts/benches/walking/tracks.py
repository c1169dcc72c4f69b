"""A walk of tracks without pixels through the association, second by second."""

from dataclasses import dataclass, replace

from pipeline.associator.open import association_of
from pipeline.config.schema import ReidConfig, SiteConfig
from pipeline.reid.embedding import similarity_calibration
from trackers.association.association import Association, Decision
from trackers.association.decision import CONFIRMED
from trackers.single_camera.continuity import SamePerson
from trackers.tracklet import Tracklet, TrackletKey
from walking.crops import Crops
from walking.reliability import JudgedTrack
from walking.scene import Scene
from walking.score import shown_person
from walking.stream import PARTS, stream

Ids = dict[TrackletKey, Decision]


@dataclass(frozen=True, slots=True)
class Walked:
    """The last decision on each track while running (``online``) and at the finish (``ids``), and
    the ``last`` revision of each."""

    online: Ids
    ids: Ids
    last: dict[TrackletKey, Tracklet]


def fusetrack(reid: ReidConfig) -> Association:
    """The association as a run has it, where nothing is known of the cameras."""
    rules = association_of(SiteConfig()).rules
    return Association(replace(rules, calibration=similarity_calibration(reid)))


def walked(scene: Scene, crops: Crops, association: Association) -> Walked:
    """One walk through the association, and then its finish."""
    line = association.rules.calibration
    same = SamePerson(line.midpoint, line.common)
    online: Ids = {}
    last: dict[TrackletKey, Tracklet] = {}
    for at, tracklets in stream(scene, crops, same):
        for tracklet in tracklets:
            association.observe(tracklet)
            last[tracklet.key] = tracklet
        online |= {decision.key: decision for decision in association.decide(at)}
        association.forget(at)
    ids = online | {decision.key: decision for decision in association.finish()}
    return Walked(online, ids, last)


def judged(scene: Scene, found: Walked) -> list[JudgedTrack]:
    """The last decisions beside whom the tracks show."""
    last = found.last
    return [
        JudgedTrack(
            shown_person(scene.tracks[key[1] // PARTS - 1], last[key].start, last[key].end),
            decision.global_id,
            last[key].end - last[key].start,
            decision.confidence,
            decision.state == CONFIRMED,
        )
        for key, decision in sorted(found.ids.items())
    ]
