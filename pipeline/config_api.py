"""The part of the configuration that is about `fusetrack serve` and the pictures it shows."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from pipeline.config_section import Section
from pipeline.config_service import host_and_port


class ApiConfig(Section):
    """Where the live API listens, who may use it, and what it shows.

    ``token`` may come from the environment instead; beyond this computer there must be one.
    ``pictures`` is whether a node gives pictures of its cameras to who looks at them. A preview has
    at most ``preview_px`` pixels on its longer side and ``preview_fps`` pictures a second.
    """

    listen: str = "127.0.0.1:8710"
    token: SecretStr | None = None
    pictures: bool = True
    preview_px: Annotated[int, Field(ge=64, le=3840)] = 960
    preview_fps: Annotated[float, Field(gt=0, le=25)] = 5.0

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host_and_port(value)
        return value
