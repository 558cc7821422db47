"""Keeping a terminal clean of what native libraries write while they are loaded.

TensorFlow writes six lines to file descriptor 2 before its own log settings apply; no setting keeps them back.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back_stderr(*, is_on: bool = True) -> Iterator[None]:
    """Keep what the block writes to file descriptor 2; it is written after all if the block raises.

    Args:
        is_on: if not, nothing is kept back.
    """
    if not is_on or sys.stderr is None:  # closed, as by 2>&-
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(terminal, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
