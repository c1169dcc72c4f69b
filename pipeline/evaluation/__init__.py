"""Evaluate a run against ground truth: HOTA, IDF1 and MOTA."""

from pipeline.evaluation.run import Evaluation, evaluate_run
from pipeline.evaluation.scores import Scores
from pipeline.evaluation.table import COLUMNS, table_rows

__all__ = ["COLUMNS", "Evaluation", "Scores", "evaluate_run", "table_rows"]
