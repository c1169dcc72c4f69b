"""Events sent to a real MQTT broker, which may be away, and may refuse."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_broker import PASSWORD, PASSWORD_IN_URL, Broker
from pipeline.api.events import Events
from pipeline.api.mqtt import MqttPublisher, start_mqtt
from pipeline.config.load import check_config
from pipeline.config.schema import MqttConfig
from pipeline.errors import UserError
from pipeline.run_directory.preparing import prepare


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    return Broker(tmp_path_factory.mktemp("broker"))


def config_of(broker: Broker, *, tls: bool = False, **values: object) -> MqttConfig:
    scheme, port = ("mqtts", broker.tls_port) if tls else ("mqtt", broker.port)
    url = f"{scheme}://camera:{PASSWORD_IN_URL}@127.0.0.1:{port}"
    return MqttConfig.model_validate({"url": url, "topic": "shop", **values})


@contextmanager
def sending(config: MqttConfig, events: Events, site: str = "till") -> Iterator[None]:
    """Events go to the broker during the block."""
    stop = threading.Event()
    threads = start_mqtt([config], site, events, stop)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(600)
            assert not thread.is_alive()


def test_events_arrive_in_order_over_tls_with_a_password(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    events = Events()
    config = config_of(broker, tls=True, ca=str(broker.authority), events=["enter", "dwell"])
    with broker.running(), broker.reader() as reader, caplog.at_level(logging.DEBUG):
        with sending(config, events):
            for kind, number in (("enter", 1), ("camera", 2), ("dwell", 3), ("missed", 4)):
                events.add({"type": kind, "number": number})
            reader.until(lambda: len(reader.events()) == 3)
        reader.until(lambda: ("shop/till/status", "offline") in reader.received)
    topics = [topic for topic, _ in reader.received]
    assert [one for one in topics if one != "shop/till/status"] == [
        "shop/till/enter",
        "shop/till/dwell",
        "shop/till/missed",
    ]
    assert ("shop/till/status", "online") in reader.received
    assert reader.events()[0] == {"site": "till", **events.after(0, 1)[0][0]}
    assert "lost" not in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD_IN_URL not in caplog.text


def test_a_broker_that_was_away_gets_everything(broker: Broker) -> None:
    events = Events()
    with broker.running(), broker.reader() as reader:
        publishing = sending(config_of(broker), events)
        publishing.__enter__()
        events.add({"type": "enter", "number": 0})
        reader.until(lambda: len(reader.events()) == 1)
    for number in range(1, 250):
        events.add({"type": "enter", "number": number})
    with broker.running(), broker.reader() as later:
        later.until(lambda: len({one["number"] for one in later.events()}) == 249)
        publishing.__exit__(None, None, None)
    numbers = [one["number"] for one in later.events()]
    # What was under way as the broker went may come twice.
    assert list(dict.fromkeys(numbers)) == list(range(1, 250))


def test_what_a_broker_refuses_is_told(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    events = Events()
    publisher = MqttPublisher(
        config_of(broker, topic="elsewhere"), "till", events, threading.Event().wait
    )
    events.add({"type": "enter"})
    with broker.running():
        publisher.start()
        publisher.step()
        publisher.close()
    assert publisher.lost == 1
    first = events.after(0, 1)[0][0]["id"]
    assert f"answered Not authorized; event {first} is lost, 1 so far" in caplog.text


def test_a_refused_login_is_told_and_what_was_not_sent(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    events, told = Events(), threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "refused the connection" in record.getMessage():
                told.set()

    config = MqttConfig.model_validate({"url": f"mqtt://camera:s3cret@127.0.0.1:{broker.port}"})
    logger, listener = logging.getLogger("pipeline.api.mqtt"), Listener()
    logger.addHandler(listener)
    try:
        with broker.running(), sending(config, events):
            events.add({"type": "enter"})
            assert told.wait(600)
    finally:
        logger.removeHandler(listener)
    assert "mqtt 127.0.0.1: refused the connection: Not authorized. Retrying" in caplog.text
    assert "mqtt 127.0.0.1: 1 events were not sent before the end" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_slow_broker_is_told_what_it_missed(broker: Broker) -> None:
    events = Events(most=2)
    publisher = MqttPublisher(config_of(broker), "till", events, threading.Event().wait)
    for number in range(5):
        events.add({"type": "enter", "number": number})
    with broker.running(), broker.reader() as reader:
        publisher.start()
        publisher.step()
        publisher.close()
        reader.until(lambda: len(reader.events()) == 3)
    assert reader.events()[0] == {"site": "till", "type": "missed", "count": 3}
    assert [one["number"] for one in reader.events()[1:]] == [3, 4]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"url": "http://there"}, r"mqtt\.0\.url: expected mqtt:// or mqtts://"),
        ({"url": "mqtt://"}, r"mqtt\.0\.url: expected mqtt://"),
        ({"url": "mqtt://a:s3cret/x@there"}, r"mqtt\.0\.url: expected mqtt://"),
        ({"url": "mqtt://there", "topic": "a/#"}, r"mqtt\.0\.topic: expected a topic"),
        ({"url": "mqtt://there", "topic": "/"}, r"mqtt\.0\.topic: expected a topic"),
        ({"url": "mqtt://there", "key": "k.pem"}, r"mqtt\.0: expected a certificate beside"),
        ({"url": "mqtt://there", "events": ["door"]}, r"mqtt\.0\.events\.0: expected 'identity'"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], fault: str) -> None:
    with pytest.raises(UserError, match=fault) as caught:
        check_config({"mqtt": [values]}, "the test")
    assert "s3cret" not in str(caught.value)


def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    config = MqttConfig.model_validate({"url": "mqtts://there", "ca": str(tmp_path / "ca.pem")})
    with pytest.raises(UserError, match=r"ca\.pem\): No such file or directory: expected PEM"):
        start_mqtt([config], "till", Events(), threading.Event())


def test_no_password_is_written_to_the_run_directory(tmp_path: Path) -> None:
    values = {"mqtt": [{"url": "mqtt://camera:s3cret@there"}]}
    prepare(tmp_path / "run", check_config(values, "the test"))
    assert "s3cret" not in (tmp_path / "run" / "config.yaml").read_text()
