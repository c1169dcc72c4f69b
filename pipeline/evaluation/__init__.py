"""How good a run is: HOTA, IDF1 and MOTA against ground truth."""

from pipeline.evaluation.run import Evaluation, evaluate_run
from pipeline.evaluation.scores import Scores
from pipeline.evaluation.table import COLUMNS, table_rows

__all__ = ["COLUMNS", "Evaluation", "Scores", "evaluate_run", "table_rows"]
