from alignment.models.deployment import Deployment
from alignment.models.evaluation import Evaluation
from alignment.models.round import Round
from alignment.models.run import Run
from alignment.models.version import ModelVersion

__all__ = ["Deployment", "Evaluation", "ModelVersion", "Round", "Run"]
