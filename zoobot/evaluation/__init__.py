"""Comparison of predictions with the votes of held-out galaxies, and the report."""

from zoobot.evaluation.agreement import Evaluation, evaluate
from zoobot.evaluation.calibration import Calibration, calibrate
from zoobot.evaluation.volunteers import Volunteers, equivalent_volunteers

__all__ = [
    "Calibration",
    "Evaluation",
    "Volunteers",
    "calibrate",
    "equivalent_volunteers",
    "evaluate",
]
