"""The garbage collector's manners: to look through all that was loaded, it stands the program still for 0.1 seconds.

Reference counting frees nearly everything by itself; the collector is there for cycles, of which there are few.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_BETWEEN_LOOKS = 10_000
"""New objects between two looks at the newest; at Python's own 700, a few windows bring a look along."""


@contextmanager
def loading() -> Iterator[None]:
    """What is loaded within stays: it is not searched meanwhile, nor ever again. What is made later is, less often."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(_BETWEEN_LOOKS)
        gc.enable()
