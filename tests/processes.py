"""What tests ask about processes that they started."""

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether a process is there that is not waiting to be buried."""
    try:
        return "zombie" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it ended, also between opening and reading
        return False
