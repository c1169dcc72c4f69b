from pipeline.monitoring.watch import Histogram


def test_nothing_yet() -> None:
    histogram = Histogram((1.0, 2.0))
    assert histogram.cumulative() == [0, 0, 0]
    assert histogram.total == 0


def test_a_value_at_a_bound_is_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 2.0, 2.5):
        histogram.add(value)
    assert histogram.cumulative() == [1, 3, 4]
    assert histogram.total == 7.0
