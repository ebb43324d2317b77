"""What the command line does, from Python: sweeps over data frames, and forecasters that were found.

from tune import search, load_forecaster

found = search(frame, space="moirai-small", trials=20, context_length=512, prediction_length=96)
found.leaderboard()
load_forecaster(found.best).predict(frame, quantiles=(0.1, 0.5, 0.9))
"""

from tune.api.forecaster import Forecaster, load_forecaster
from tune.api.search import SearchError, search
from tune.api.sweep import Sweep

__all__ = ["Forecaster", "SearchError", "Sweep", "load_forecaster", "search"]
