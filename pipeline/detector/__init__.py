"""The person detector: YOLO. The only package that imports ultralytics."""

from pipeline.detector.detector import Detector

__all__ = ["Detector"]
