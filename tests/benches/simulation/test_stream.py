"""The tracklets of a simulated site: growing revisions, then the closed track."""

import numpy as np

from simulation.people import people_of_a_day
from simulation.site_graph import make_site
from simulation.stream import BUFFER_S, INTERVAL_S, stream
from trackers.tracklet import Tracklet, TrackletKey

SITE = make_site(4, seed=1)
TRACKS = people_of_a_day(SITE, 60, seed=1)


def revisions_by_track() -> dict[TrackletKey, list[tuple[float, Tracklet]]]:
    found: dict[TrackletKey, list[tuple[float, Tracklet]]] = {}
    for at, tracklets in stream(SITE, TRACKS, seed=1):
        for tracklet in tracklets:
            found.setdefault(tracklet.key, []).append((at, tracklet))
    return found


def test_every_track_is_sent_until_it_is_closed() -> None:
    found = revisions_by_track()
    assert len(found) == len(TRACKS)
    for revisions in found.values():
        assert [tracklet.closed for _, tracklet in revisions[:-1]] == [False] * (len(revisions) - 1)
        assert revisions[-1][1].closed


def test_a_revision_contains_no_future_data() -> None:
    for revisions in revisions_by_track().values():
        for at, tracklet in revisions:
            assert tracklet.end <= at
            assert (tracklet.path[:, 0] <= at).all()
            assert (tracklet.exemplar_times <= at).all()


def test_revisions_count_up_and_grow() -> None:
    for revisions in revisions_by_track().values():
        tracklets = [tracklet for _, tracklet in revisions]
        assert (np.diff([tracklet.revision for tracklet in tracklets]) > 0).all()
        assert (np.diff([len(tracklet.exemplars) for tracklet in tracklets]) >= 0).all()


def test_the_last_revision_is_the_whole_track() -> None:
    for (_, track_id), revisions in revisions_by_track().items():
        at, last = revisions[-1]
        assert (last.start, last.end) == (TRACKS.start[track_id - 1], TRACKS.end[track_id - 1])
        assert BUFFER_S < at - last.end <= BUFFER_S + INTERVAL_S
        assert last.camera_id == SITE.camera_ids[TRACKS.camera[track_id - 1]]


def test_a_stream_is_reproducible() -> None:
    one, two = revisions_by_track(), revisions_by_track()
    assert one.keys() == two.keys()
    for key, revisions in one.items():
        np.testing.assert_array_equal(revisions[-1][1].exemplars, two[key][-1][1].exemplars)
        np.testing.assert_array_equal(revisions[-1][1].path, two[key][-1][1].path)
