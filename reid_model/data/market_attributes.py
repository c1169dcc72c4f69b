"""Market-1501's attributes of people (Lin et al., 2019): what is worn and carried.

Age, gender and length of hair, which are in the file too, are not read.
"""

from pathlib import Path
from typing import Any

import numpy as np

from reid_model.data.clothes import Clothes

_FILE = "market_attribute.mat"
_PARTS = ("train", "test")
_COLOURS = {"gray": "grey"}
_YES, _LONG, _DRESS = 2, 1, 1


def read_attributes(root: Path) -> dict[int, Clothes]:
    """The clothes of each identity, as annotated from all of its pictures.

    ``root`` is the folder of Market-1501 with ``market_attribute.mat`` in it. Raises ValueError
    when the file is missing or another.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    path = root / _FILE
    if not path.is_file():
        raise ValueError(f"market1501: {path} is missing. It comes with Lin et al.'s attributes")
    try:
        parts = loadmat(path, simplify_cells=True)["market_attribute"]
        return {
            int(name): _clothes(parts[part], row)
            for part in _PARTS
            for row, name in enumerate(parts[part]["image_index"])
        }
    except (KeyError, ValueError, NotImplementedError, MatReadError) as error:
        raise ValueError(f"market1501: {path} does not hold Lin et al.'s attributes") from error


def _clothes(part: dict[str, Any], row: int) -> Clothes:
    def has(name: str) -> bool:
        return bool(part[name][row] == _YES)

    return Clothes(
        upper=_colour(part, "up", row),
        lower=_colour(part, "down", row),
        long_sleeves=bool(part["up"][row] == _LONG),
        long_legs=bool(part["down"][row] == _LONG),
        skirt=bool(part["clothes"][row] == _DRESS),
        bag=has("bag") or has("handbag"),
        backpack=has("backpack"),
        hat=has("hat"),
    )


def _colour(part: dict[str, Any], garment: str, row: int) -> str | None:
    """The annotated colour of a garment, None where it has another or several."""
    names = [
        name.removeprefix(garment)
        for name in sorted(part)
        if name.startswith(garment) and name != garment and np.asarray(part[name])[row] == _YES
    ]
    return _COLOURS.get(names[0], names[0]) if len(names) == 1 else None
