from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import why_not_alive, why_not_ready


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_process_without_a_loop_yet_lives() -> None:
    assert why_not_alive(Watch(), 60.0) == ""


def test_a_loop_that_stands_still_is_named_from_the_limit_on() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.at_work("node"), watch.at_work("recorder"):
        clock.now += 59.9
        assert why_not_alive(watch, 60.0) == ""
        watch.step("node")
        clock.now += 0.1
        assert why_not_alive(watch, 60.0) == "the recorder made no step for 60 s"
        watch.step("recorder")
        assert why_not_alive(watch, 60.0) == ""


def test_waiting_for_redis_is_a_step() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.at_work("associator"):
        clock.now += 99
        watch.waited("associator")
        assert why_not_alive(watch, 60.0) == ""
    assert watch.retries == 1


def test_a_loop_that_has_ended_stands_still_for_good() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.at_work("node"):
        pass
    clock.now += 1000
    assert why_not_alive(watch, 60.0) == ""


def test_ready_is_who_has_the_models_and_a_redis() -> None:
    watch = Watch()

    def away() -> None:
        raise UserError("Redis is away")

    with watch.loading():
        assert why_not_ready(watch, away) == "sources and models are being opened"
    assert why_not_ready(watch, away) == "Redis is away"
    assert why_not_ready(watch, lambda: None) == ""
