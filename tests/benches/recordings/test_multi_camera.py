import polars as pl
import pytest

from recordings.multi_camera import Recording, boxes_of_points

BOX = {"x1": 0.0, "y1": 0.0, "x2": 10.0, "y2": 20.0}
OTHER = {"x1": 50.0, "y1": 0.0, "x2": 60.0, "y2": 20.0}


def _detections(*rows):
    """``(camera, frame, box)``"""
    return pl.DataFrame(
        [{"camera_id": camera, "frame_index": frame, **box} for camera, frame, box in rows]
    )


def _points(*rows):
    """``(camera, frame, person, u, v)``"""
    columns = ["camera_id", "frame_index", "person_id", "u", "v"]
    return pl.DataFrame(rows, columns, orient="row")


def _trajectories(*rows):
    """``(camera, frame, track, global id, box)``"""
    return pl.DataFrame(
        [
            {"camera_id": c, "frame_index": f, "track_id": t, "global_id": g, **box}
            for c, f, t, g, box in rows
        ],
        schema_overrides={"global_id": pl.Int64},
    )


def _persons(truth):
    return {row["person_id"]: {name: row[name] for name in BOX} for row in truth.to_dicts()}


class TestBoxesOfPoints:
    def test_a_person_is_in_the_box_that_holds_their_middle(self):
        truth = boxes_of_points(_detections(("a", 0, BOX)), _points(("a", 0, 7, 5.0, 10.0)))
        assert _persons(truth) == {7: BOX}

    def test_exactly_on_the_edge_is_outside(self):
        truth = boxes_of_points(_detections(("a", 0, BOX)), _points(("a", 0, 7, 10.0, 10.0)))
        assert _persons(truth)[7]["x1"] == 10.0

    def test_one_to_one_and_the_more_central_has_it(self):
        points = _points(("a", 0, 7, 2.0, 10.0), ("a", 0, 8, 5.0, 10.0))
        truth = _persons(boxes_of_points(_detections(("a", 0, BOX)), points))
        assert truth[8] == BOX
        assert truth[7]["x2"] - truth[7]["x1"] < 0.01

    def test_of_two_whose_middles_are_in_one_box_it_is_of_the_one_in_its_size(self):
        points = _points(("a", 0, 7, 4.0, 10.0), ("a", 0, 8, 5.0, 10.0))
        sized = points.with_columns(head=pl.Series([0.0, 5.0]), foot=pl.Series([20.0, 15.0]))
        detections = _detections(("a", 0, BOX))
        assert _persons(boxes_of_points(detections, points))[8] == BOX
        assert _persons(boxes_of_points(detections, sized))[7] == BOX

    def test_who_has_nothing_in_common_with_a_box_is_not_in_it(self):
        points = _points(("a", 0, 7, 5.0, 10.0)).with_columns(head=25.0, foot=30.0)
        assert _persons(boxes_of_points(_detections(("a", 0, BOX)), points))[7] != BOX

    def test_another_camera_or_frame_shows_nobody(self):
        detections = _detections(("b", 0, BOX), ("a", 1, BOX))
        truth = boxes_of_points(detections, _points(("a", 0, 7, 5.0, 10.0)))
        assert _persons(truth)[7] != BOX

    def test_nobody(self):
        points = _points(("a", 0, 7, 5.0, 10.0)).clear()
        assert boxes_of_points(_detections(("a", 0, BOX)), points).is_empty()


class TestScore:
    truth = pl.DataFrame(
        [
            {"camera_id": "a", "frame_index": 0, "person_id": 1, **BOX},
            {"camera_id": "b", "frame_index": 0, "person_id": 1, **BOX},
        ]
    )

    def _score(self, trajectories, unjudged=None):
        return Recording(_detections(), {}, self.truth, unjudged).score(trajectories)

    def test_one_id_in_both_cameras(self):
        rows = _trajectories(("a", 0, 1, 5, BOX), ("b", 0, 1, 5, BOX))
        assert self._score(rows).idf1 == 1.0

    def test_two_ids(self):
        rows = _trajectories(("a", 0, 1, 5, BOX), ("b", 0, 1, 6, BOX))
        assert self._score(rows).idf1 == 0.5

    def test_a_track_without_an_id_is_a_person_of_its_own(self):
        rows = _trajectories(("a", 0, 1, 5, BOX), ("b", 0, 1, None, BOX))
        assert self._score(rows).idf1 == 0.5

    def test_what_is_not_judged_is_neither_right_nor_wrong(self):
        rows = _trajectories(("a", 0, 1, 5, BOX), ("b", 0, 1, 5, BOX), ("a", 0, 2, 9, OTHER))
        assert self._score(rows).idf1 == pytest.approx(0.8)
        assert self._score(rows, _detections(("a", 0, OTHER))).idf1 == 1.0

    def test_only_cameras_with_a_truth_are_judged(self):
        rows = _trajectories(("a", 0, 1, 5, BOX), ("b", 0, 1, 5, BOX), ("c", 0, 1, 5, BOX))
        assert self._score(rows).idf1 == 1.0
