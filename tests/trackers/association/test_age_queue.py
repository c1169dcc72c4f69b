import numpy as np

from trackers.association.age_queue import AgeQueue


def test_an_empty_queue_has_nothing_old():
    assert AgeQueue().pop_before(9.0) == []


def test_the_exact_moment_stays():
    queue = AgeQueue()
    queue.put(1, 5.0)
    assert queue.pop_before(5.0) == []
    assert queue.pop_before(5.1) == [1]
    assert queue.pop_before(9.0) == []


def test_it_is_a_search_through_all():
    rng = np.random.default_rng(0)
    queue, times = AgeQueue(), {}
    for moment in range(200):
        for name in rng.integers(0, 50, 5).tolist():
            times[name] = max(times.get(name, 0.0), moment + rng.random())
            queue.put(name, times[name])
        dropped = int(rng.integers(0, 50))
        times.pop(dropped, None)
        queue.drop(dropped)
        old = sorted(name for name, time in times.items() if time < moment - 8)
        assert queue.pop_before(moment - 8) == old
        times = {name: time for name, time in times.items() if name not in old}
