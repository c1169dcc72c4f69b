"""Types shared by all sections of the configuration: names, bounded numbers, sections."""

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(gt=0)]
Matrix = list[list[float]]


# Names become those of folders such as camera_id=NAME, of at most 255 characters.
_LONGEST_NAME = 245


def _check_name(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("expected a name in quotes, so that YAML reads it as text")
    # It becomes the name of a file and of a folder, so it must not be "." or "..".
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", value) or not value.strip("."):
        raise ValueError("expected a name of A-Z a-z 0-9 _ - . that is not only dots")
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"expected a name of at most {_LONGEST_NAME} characters")
    return value


def _check_option(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("expected true, false, a number or text")
    return value


Name = Annotated[str, BeforeValidator(_check_name)]
Option = Annotated[bool | int | float | str, BeforeValidator(_check_option)]


class Section(BaseModel):
    """A section of the configuration. Unknown keys are errors; instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
