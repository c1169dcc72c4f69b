"""The association on simulated sites: fast is as slow, people are found again, cost stays flat."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from pipeline.associator.open import association_of
from pipeline.config.schema import ReidConfig, SiteConfig
from pipeline.reid.embedding import similarity_calibration
from simulation.people import Tracks, people_of_a_day
from simulation.replay import idf1_of, replay
from simulation.site_graph import SiteGraph, make_site
from simulation.stream import stream
from trackers.association.association import Association, Decision, Rules
from trackers.association.candidates import Candidates
from trackers.association.topology import Topology, topology_of
from trackers.tracklet import Tracklet


def a_day(cameras: int, tracks: int) -> tuple[SiteGraph, Tracks]:
    site = make_site(cameras, seed=1)
    return site, people_of_a_day(site, tracks, seed=1)


def rules_of(site: SiteGraph | None) -> Rules:
    topology = topology_of(site.walking_times()) if site else Topology()
    calibration = similarity_calibration(ReidConfig(model="person-reidentification-retail-0286"))
    return replace(association_of(SiteConfig()).rules, calibration=calibration, topology=topology)


def decisions_of(association: Association, site: SiteGraph, tracks: Tracks) -> list[Decision]:
    found = []
    for at, tracklets in stream(site, tracks, seed=1):
        for tracklet in tracklets:
            association.observe(tracklet)
        found += association.decide(at)
        association.forget(at)
    return found


def test_candidates_give_the_same_decisions_as_all_people(monkeypatch: pytest.MonkeyPatch) -> None:
    site, tracks = a_day(12, 250)
    # So short that people are forgotten on the way.
    rules = replace(rules_of(site), gallery_s=60.0, refine_s=0.0)
    fast = decisions_of(Association(rules), site, tracks)
    slow_association = Association(rules)
    everybody = slow_association.identities
    monkeypatch.setattr(Candidates, "of", lambda self, tracklets: sorted(everybody))
    slow = decisions_of(slow_association, site, tracks)
    assert [(d.key, d.global_id) for d in fast] == [(d.key, d.global_id) for d in slow]
    confidences = [decision.confidence for decision in slow]
    assert [decision.confidence for decision in fast] == pytest.approx(confidences, abs=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_people_are_reidentified_with_and_without_known_camera_links(known: bool) -> None:
    site, tracks = a_day(12, 250)
    found = replay(site, tracks, 1, Association(rules_of(site if known else None)), lambda: 0.0)
    assert idf1_of(tracks, found.identity) > 0.8
    assert idf1_of(tracks, found.finished) > 0.85


def test_a_larger_site_compares_no_more_people(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    all_candidates = Candidates.of

    def counted(self: Candidates, tracklets: Iterable[Tracklet]) -> list[int]:
        found = all_candidates(self, tracklets)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(Candidates, "of", counted)
    looked_at = {}
    for cameras in (12, 48):
        sizes.clear()
        site, tracks = a_day(cameras, 15 * cameras)
        decisions_of(Association(rules_of(site)), site, tracks)
        looked_at[cameras] = sum(sizes) / len(sizes)
    assert 1 < looked_at[48] < 1.5 * looked_at[12]
