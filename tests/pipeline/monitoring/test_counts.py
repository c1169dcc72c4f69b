from pipeline.monitoring.watch import Histogram


def test_a_new_histogram_is_empty() -> None:
    histogram = Histogram((1.0, 2.0))
    assert histogram.cumulative() == [0, 0, 0]
    assert histogram.total == 0


def test_bounds_are_inclusive() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 2.5):
        histogram.add(value)
    assert histogram.cumulative() == [1, 3, 4]
    assert histogram.total == 7.0
