"""The schedule of faults: sequential, and reproducible by seed."""

import random
from collections.abc import Sequence

from .record import Fault

#: Seconds before the first fault and between faults, enough for a fault and its recovery.
SETTLE_S, SLOT_S = 15.0, 30.0
#: Minimum and maximum duration of each kind, seconds.
LASTS = {
    "killed": (0.5, 1.0),
    "stopped": (3.0, 9.0),
    "gone": (9.0, 12.0),
    "password": (6.0, 9.0),
}


def plan(
    seconds: float, cameras: Sequence[str], locked: str, seed: int, longest_loss: float
) -> list[Fault]:
    """The faults within ``seconds``: all kinds in turn, and Redis once in the middle.

    Only the camera ``locked`` has a password. A camera that is gone stays away for longer than
    ``longest_loss`` seconds. Raises ValueError when that is impossible.
    """
    if longest_loss >= LASTS["gone"][0]:
        raise ValueError(f"a camera must be gone for more than {longest_loss} s")
    chance = random.Random(seed)
    slots = max(int((seconds - SETTLE_S) // SLOT_S), 0)
    faults, kinds = list[Fault](), list[str]()
    for slot in range(slots):
        at = SETTLE_S + slot * SLOT_S + chance.uniform(0, 2)
        if slot == slots // 2:
            faults.append(Fault("redis", "", at, at))
            continue
        kinds = kinds or chance.sample(sorted(LASTS), len(LASTS))
        kind = kinds.pop()
        camera = locked if kind == "password" else chance.choice(cameras)
        faults.append(Fault(kind, camera, at, at + chance.uniform(*LASTS[kind])))
    return faults
