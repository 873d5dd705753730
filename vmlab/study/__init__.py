"""What turns reading into studying: predictions before results, questions that know wrong beliefs, recall.

`study` imports the model and never `vmlab.views`: what it shows is anything that can show itself as HTML.
Everything works as a widget, as static HTML, and as a plain call.
"""

from .practice import check, practise, recall
from .predict import predict, reveal
from .progress import forget
from .question import Feedback, Misconception, Question
from .steps import Step, Steps
from .weigh import weigh

__all__ = [
    "Feedback",
    "Misconception",
    "Question",
    "Step",
    "Steps",
    "check",
    "forget",
    "practise",
    "predict",
    "recall",
    "reveal",
    "weigh",
]
