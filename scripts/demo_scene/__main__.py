"""Compose the longer scene of the demo: ``python -m demo_scene FOLDER`` writes its videos there."""

import sys
from pathlib import Path

from demo_scene.colours import PEOPLE, dressed
from demo_scene.cutting import cut_out
from demo_scene.scene import CAMERAS, compose, write_truth
from pipeline.errors import UserError
from pipeline.weights import weights_path


def main(folder: Path) -> None:
    """Write the videos and their truth, unless they are there. Raises UserError without weights."""
    truth = folder / "truth"
    if truth.is_dir() and all((folder / f"{name}.mp4").is_file() for name in CAMERAS):
        return
    folder.mkdir(parents=True, exist_ok=True)
    place, steps = cut_out(weights_path("demo-walk"))
    people = [[dressed(step, clothes) for step in steps] for clothes in PEOPLE]
    write_truth(compose(place, people, folder), truth)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m demo_scene FOLDER")
    try:
        main(Path(sys.argv[1]))
    except (UserError, ValueError) as error:
        sys.exit(f"demo_scene: {error}")
