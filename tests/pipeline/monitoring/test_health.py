from fakes import Clock
from pipeline.errors import UserError
from pipeline.monitoring.watch import Watch
from pipeline.monitoring.web import not_ready_reason, stalled_reason


def test_a_process_without_a_loop_is_alive() -> None:
    assert stalled_reason(Watch(), 60.0) == ""


def test_a_stalled_loop_is_named_from_the_limit_on() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.running("node"), watch.running("recorder"):
        clock.now += 59.9
        assert stalled_reason(watch, 60.0) == ""
        watch.step("node")
        clock.now += 0.1
        assert stalled_reason(watch, 60.0) == "the recorder made no step for 60 s"
        watch.step("recorder")
        assert stalled_reason(watch, 60.0) == ""


def test_waiting_for_redis_is_a_step() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.running("associator"):
        clock.now += 99
        watch.count_retry("associator")
        assert stalled_reason(watch, 60.0) == ""
    assert watch.retries == 1


def test_an_ended_loop_is_not_stalled() -> None:
    clock = Clock()
    watch = Watch(ticks=clock)
    with watch.running("node"):
        pass
    clock.now += 1000
    assert stalled_reason(watch, 60.0) == ""


def test_a_process_is_ready_with_models_and_redis() -> None:
    watch = Watch()

    def away() -> None:
        raise UserError("Redis is away")

    with watch.loading():
        assert not_ready_reason(watch, away) == "sources and models are being opened"
    assert not_ready_reason(watch, away) == "Redis is away"
    assert not_ready_reason(watch, lambda: None) == ""
