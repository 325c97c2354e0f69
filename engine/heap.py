"""The garbage collector's manners in a process that serves."""

import gc
from typing import Final

YOUNG_OBJECTS_MAX: Final = 50_000


def settle_heap() -> None:
    """Collect rarely from here on, and never look at what the start-up left.

    The records of the hot path hold no cycles and are freed by their counts; with the default thresholds a quarter of a
    loaded lane's CPU went into looking for cycles among them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 100)
