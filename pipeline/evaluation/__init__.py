"""Evaluate a run against ground truth: HOTA, IDF1 and MOTA."""

from pipeline.evaluation.run_scores import COLUMNS, Evaluation, evaluate_run, table_rows
from pipeline.evaluation.scores import Scores

__all__ = ["COLUMNS", "Evaluation", "Scores", "evaluate_run", "table_rows"]
