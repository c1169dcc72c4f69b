"""What of tracklets is written into the checkpoint, and what a new associator makes of it."""

from dataclasses import replace

import numpy as np

from pipeline.associator.checkpoint import Checkpoint, Fields, Meta, tracklets_in
from pipeline.associator.open import association_of
from pipeline.associator.watermarks import Silence, Watermarks
from pipeline.config.schema import SiteConfig
from trackers.association.ground_association import GroundAssociation
from trackers.tracklet import Tracklet, TrackletKey

META = Meta(Watermarks(["gate"], Silence([], 1.0, lambda: 0.0)).state())
KEY = ("gate", 1)


def opened() -> GroundAssociation:
    return association_of(SiteConfig())


def track(number: int, revision: int, seconds: int, crops: list[int]) -> Tracklet:
    """A track of five steps a second; the crops have the vectors of these numbers."""
    times = np.arange(5 * seconds) / 5
    vectors = [np.random.default_rng(one).normal(size=16) for one in crops]
    return Tracklet(
        camera_id="gate",
        track_id=number,
        revision=revision,
        start=0.0,
        end=float(times[-1]),
        count=len(times),
        closed=False,
        exemplars=np.array(vectors).reshape(len(crops), 16).astype(np.float16).astype(np.float32),
        qualities=np.full(len(crops), 0.5, np.float32),
        exemplar_times=np.arange(len(crops)) / 2,
        path=np.column_stack([times, times * 10, times * 20, times + 80, times, times]),
    )


class Store:
    """A checkpoint with an association and the hash in Redis."""

    def __init__(self) -> None:
        self.association = opened()
        self.checkpoint = Checkpoint()
        self.fields: Fields = {}

    def write(self, *tracklets: Tracklet, forgotten: tuple[TrackletKey, ...] = ()) -> set[str]:
        """Observe and write; returns the parts that were written."""
        for tracklet in tracklets:
            self.association.observe(tracklet)
        changed = [tracklet.key for tracklet in tracklets]
        found = self.checkpoint.written(META, self.association, changed, forgotten)
        self.fields |= found.fields
        for name in found.gone:
            del self.fields[name]
        return {name for name in found.fields if name.startswith("parts::")}

    def parts(self) -> int:
        return sum(name.startswith("parts::") for name in self.fields)


def test_a_restored_tracklet_is_the_same() -> None:
    store, again = Store(), opened()
    store.write(track(1, 1, 5, [1, 2]))
    store.write(track(1, 2, 9, [2, 3]), track(2, 1, 1, []))
    Checkpoint().restore(again, store.fields)
    assert tracklets_in(store.fields) == 2
    for key in (KEY, ("gate", 2)):
        found, expected = again.tracklet(key), store.association.tracklet(key)
        assert found is not None
        assert expected is not None
        for name in ("exemplars", "qualities", "exemplar_times", "path"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert replace(found, path=expected.path).revision == expected.revision


def test_only_new_vectors_and_steps_are_written() -> None:
    store = Store()
    # Two vectors and one block of 16 steps.
    assert len(store.write(track(1, 1, 4, [1, 2]))) == 3
    assert store.write(track(1, 2, 5, [1, 2])) == set()
    assert len(store.write(track(1, 3, 7, [1, 2, 3]))) == 2
    # Those that are not used any more are deleted.
    store.write(track(1, 4, 7, [3]))
    assert store.parts() == 1 + 2


def test_tracks_with_the_same_vectors_share_them() -> None:
    store = Store()
    store.write(track(1, 1, 1, [1, 2]), track(2, 1, 1, [1, 2]))
    assert store.parts() == 2
    # Also after a restart.
    again = Store()
    again.fields = store.fields
    again.checkpoint.restore(again.association, again.fields)
    again.write(track(1, 2, 1, [3]))
    assert again.parts() == 3
    again.write(forgotten=(("gate", 2),))
    assert again.parts() == 1
    again.write(forgotten=(KEY,))
    assert sorted(again.fields) == ["meta"]
