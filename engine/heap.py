"""The interpreter's manners in a process that serves."""

import gc
import sys
from typing import Final

SWITCH_S: Final = 0.000_5
YOUNG_OBJECTS_MAX: Final = 50_000


def settle_heap() -> None:
    """Collect rarely from here on, and never look at what the start-up left.

    The records of the hot path hold no cycles and are freed by their counts; with the default thresholds a quarter of a
    loaded lane's CPU went into looking for cycles among them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, 20, 100)


def share_interpreter() -> None:
    """Let work in threads, such as the lines of a bank's statement, keep the loop waiting half a millisecond, not five.

    With the default the loop, which gives the interpreter up whenever it looks for what has come in, lost five
    milliseconds each time to a thread that computes.
    """
    sys.setswitchinterval(SWITCH_S)
