"""Ground views of cameras from their configuration."""

import numpy as np

from pipeline.config.schema import SiteConfig
from trackers.ground.view import View, view_of_homography


def view_of(config: SiteConfig, camera_id: str) -> View | None:
    """The ground view of a camera; None when it is not calibrated."""
    calibration = config.cameras[camera_id].calibration
    if calibration is None:
        return None
    if calibration.homography is not None:
        return view_of_homography(np.array(calibration.homography, np.float64))
    return View(np.array(calibration.projection, np.float64))
