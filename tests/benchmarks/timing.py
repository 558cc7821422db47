"""Seconds, CPU seconds and memory of what runs in this process, its workers and its JVM.  Linux only."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Measurement = dict[str, object]
T = TypeVar("T")

_WARM_SECONDS = 20.0  # of runs: of one that takes four seconds, a good part of the first is the JVM compiling


def warm_up(run: Callable[[], object]) -> None:
    """Run something at least once, and again until the JVM has compiled what it will compile."""
    started = time.perf_counter()
    run()
    while time.perf_counter() - started < _WARM_SECONDS:
        run()


def timed(run: Callable[[], T], repeats: int) -> tuple[Measurement, T]:
    """The least seconds and the least CPU seconds of several runs, and the result of the last.

    Memory is this Python process's peak before the first run and after it: later runs could only add
    what an earlier one left behind.
    """
    before, runs, peaks = peak_mib(), [], []
    for _ in range(repeats):
        result = None  # else the last result is still there while the next is made
        started, cpu_started = time.perf_counter(), cpu_seconds()
        result = run()
        runs.append((time.perf_counter() - started, cpu_seconds() - cpu_started))
        peaks.append(peak_mib())
    measurement = {
        "seconds": min(seconds for seconds, _ in runs),
        "cpu_seconds": min(cpu for _, cpu in runs),
        "all_seconds": [seconds for seconds, _ in runs],
        "all_cpu_seconds": [cpu for _, cpu in runs],
        "driver_python_before_mib": before,
        "driver_python_peak_mib": peaks[0],
    }
    return measurement, result


def cpu_seconds() -> float:
    """CPU seconds that all processes of this session used so far, with those that ended and were reaped."""
    session, ticks = os.getsid(0), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it ended just now
            continue
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))  # utime, stime, and of reaped children
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mib() -> float:
    """This process's peak resident memory, which is at least that of the process that started it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def heap(spark: "SparkSession") -> Measurement:
    """The JVM's heap in use after a full collection."""
    runtime = spark._jvm.java.lang.management.ManagementFactory.getMemoryMXBean()
    runtime.gc()
    return {"driver_heap_live_mib": runtime.getHeapMemoryUsage().getUsed() / 2**20}
