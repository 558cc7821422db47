"""Is there a Python and a Java that Spark runs on?  Needs nothing but the standard library.

    python3 -m dp_spark.environment

`make` runs it before it installs anything, and `session.py` before it starts a JVM.
"""

import os
import re
import shutil
import subprocess
import sys

MIN_PYTHON = (3, 11)
MIN_JAVA = 17  # Spark 4.0 to 4.3 are compiled for Java 17


def python_problem(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> str | None:
    """One sentence with the fix if this Python is too old, else None."""
    if version >= MIN_PYTHON:
        return None
    return (
        f"Python {version[0]}.{version[1]} is too old: dp_spark needs Python 3.11 or newer; install it "
        "(Debian: apt-get install python3.11 python3.11-venv) and run make with PYTHON=python3.11."
    )


def java_problem(environ: dict[str, str] | None = None) -> str | None:
    """One sentence with the fix if Java is missing or too old, else None.

    Args:
        environ: where to look for JAVA_HOME and PATH; default: this process's environment.
    """
    environ = dict(os.environ) if environ is None else environ
    fix = "install it (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME to where it is"
    java = _java_command(environ)
    if java is None:
        return f"Java was not found: Spark needs Java {MIN_JAVA} or newer; {fix}."
    version = _java_version(java)
    if version is None:
        return f"{java} did not tell its version: Spark needs Java {MIN_JAVA} or newer; {fix}."
    if version < MIN_JAVA:
        return f"{java} is Java {version}: Spark needs Java {MIN_JAVA} or newer; {fix}."
    return None


def _java_command(environ: dict[str, str]) -> str | None:
    home = environ.get("JAVA_HOME")
    if home:
        return shutil.which(os.path.join(home, "bin", "java"))
    return shutil.which("java", path=environ.get("PATH"))


def _java_version(java: str) -> int | None:
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    return int(found[1]) if found else None


def main() -> int:
    """Write the problems to stderr; 0 if there are none, else 2."""
    problems = [problem for problem in (python_problem(), java_problem()) if problem]
    for problem in problems:
        sys.stderr.write(f"dp_spark: {problem}\n")
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
