import pytest

from pipeline.config.load import check_config
from pipeline.config.schema import SiteConfig, host_and_port
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("node-1.example:0", ("node-1.example", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_a_valid_address(address: str, parts: tuple[str, int]) -> None:
    assert host_and_port(address) == parts
    assert check_config({"service": {"metrics": address}}, "here").service.metrics == address


@pytest.mark.parametrize(
    "address", ["9100", ":9100", "host", "host:", "h:65536", "::1:9100", "a b:1"]
)
def test_an_invalid_address(address: str) -> None:
    with pytest.raises(UserError, match=r"here: service\.metrics: expected HOST:PORT, such as 127"):
        check_config({"service": {"metrics": address}}, "here")


def test_nothing_is_served_by_default() -> None:
    assert SiteConfig().service.metrics is None
