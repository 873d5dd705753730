"""What turns reading into studying: predictions before results, questions that know wrong beliefs, recall.

`study` imports the model and never `vmlab.views`: what it shows is anything that can show itself as HTML.
Everything works as a widget, as static HTML, and as a plain call.
"""

from .asked import ask, hint
from .check import check
from .own_page import own_page
from .practice import practise, recall
from .predict import predict, reveal
from .progress import forget, i_am
from .question import Feedback, Misconception, Question
from .steps import Step, Steps
from .this_machine import this_machine
from .this_translation import this_translation
from .weigh import Scenario, weigh

__all__ = [
    "Feedback",
    "Misconception",
    "Question",
    "Scenario",
    "Step",
    "Steps",
    "ask",
    "check",
    "forget",
    "hint",
    "i_am",
    "own_page",
    "practise",
    "predict",
    "recall",
    "reveal",
    "this_machine",
    "this_translation",
    "weigh",
]
