"""The person detector: YOLO through ultralytics; the one home of that library."""

from pipeline.detector.detector import Detector

__all__ = ["Detector"]
