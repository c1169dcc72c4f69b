"""Write six minutes of an invented shop: shop.yaml and the recorded detections shop.parquet.

Eleven people come in at the entrance and stop in the aisle; eight of them pay at the till. One more
person passes the door without coming further. Each camera sees a floor of 8 x 6 metres, and two
metres lie between one camera's floor and the next. The same seed gives the same people.
"""

import numpy as np
import polars as pl
import yaml

FPS = 5.0
PIXELS_A_METRE = 160.0
CAMERAS = {"entrance": 0.0, "aisle": 10.0, "till": 20.0}  # where a camera's floor begins, metres
WIDTH, DEPTH = 8.0, 6.0
PACE = 1.2  # metres a second
BUYERS, PASSERS, BROWSERS = 8, 1, 3

random = np.random.default_rng(7)


def walk(begin: float, stops: list[tuple[float, float]], back: float) -> np.ndarray:
    """Rows of time, x, y: to each stop (x, seconds) in turn, then to ``back``."""
    time, x, lane = begin, 0.0, random.uniform(2.0, DEPTH - 0.5)
    rows = []
    for goal, stay in [*stops, (back, 0.0)]:
        steps = int(abs(goal - x) / PACE * FPS)
        rows += [(time + i / FPS, x + (goal - x) * i / steps, lane) for i in range(steps)]
        time, x = time + steps / FPS, goal
        rows += [(time + i / FPS, x, lane) for i in range(int(stay * FPS))]
        time += int(stay * FPS) / FPS
    return np.array(rows)


def visit(kind: str, begin: float) -> np.ndarray:
    """One person's walk."""
    aisle, till = random.uniform(11.0, 17.0), random.uniform(23.0, 26.0)
    if kind == "passes":
        return walk(begin, [(4.0, 5.0)], 0.0)
    if kind == "browses":
        return walk(begin, [(aisle, random.uniform(15.0, 60.0))], 0.0)
    return walk(
        begin, [(aisle, random.uniform(15.0, 60.0)), (till, random.uniform(8.0, 25.0))], 28.0
    )


def detections(rows: np.ndarray, appearance: np.ndarray) -> list[dict[str, object]]:
    """What the cameras see of a walk: boxes whose lower edge stands on the floor."""
    found = []
    for time, x, y in rows:
        for name, start in CAMERAS.items():
            if not start <= x < start + WIDTH:
                continue
            foot = ((x - start) * PIXELS_A_METRE, y * PIXELS_A_METRE)
            u, v = foot + random.normal(0.0, 2.0, 2)
            embedding = appearance + random.normal(0.0, 0.03, appearance.size)
            found.append(
                {
                    "camera_id": name,
                    "frame_index": round(time * FPS),
                    "timestamp": round(time * FPS) / FPS,
                    "x1": u - 45.0,
                    "y1": v - 240.0,
                    "x2": u + 45.0,
                    "y2": v,
                    "score": 0.9,
                    "embedding": (embedding / np.linalg.norm(embedding)).tolist(),
                }
            )
    return found


def main() -> None:
    """Write both files into the current folder."""
    kinds = ["buys"] * BUYERS + ["passes"] * PASSERS + ["browses"] * BROWSERS
    begins = np.sort(random.uniform(0.0, 240.0, len(kinds)))
    rows = []
    for kind, begin in zip(random.permutation(kinds), begins, strict=True):
        appearance = random.normal(0.0, 1.0, 64)
        rows += detections(visit(kind, begin), appearance / np.linalg.norm(appearance))
    boxes = pl.DataFrame(rows).sort("camera_id", "frame_index")
    boxes.write_parquet("shop.parquet")
    site = {"site": "shop", "cameras": {}}
    for name, start in CAMERAS.items():
        scale = PIXELS_A_METRE
        matrix = [[scale, 0.0, -start * scale], [0.0, scale, 0.0], [0.0, 0.0, 1.0]]
        site["cameras"][name] = {"calibration": {"homography": matrix}}
    with open("shop.yaml", "w", encoding="utf-8") as file:
        yaml.safe_dump(site, file, sort_keys=False)
    print(f"shop.yaml and shop.parquet: {len(kinds)} people, {boxes.height} boxes")


if __name__ == "__main__":
    main()
