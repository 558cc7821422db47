"""Rows per second of training an end model: fed from shards, through Spark, with two workers, and ten million rows.

    python tests/benchmarks/train_end_model.py [--parts feeding spark workers large] [--n 2000000] [--json PATH]

feeding   the same step on arrays in memory (shuffled, in batches of 4,096), on Keras' own `fit`, and on shards with
          and without the memory cache; one process, one thread.
spark     one worker through Spark against a loop written by hand with TensorFlow and pyarrow; start-up apart.
workers   one worker of one thread against two, by model and global batch.
large     10,000,000 rows of 100 features with two workers: seconds and the peak memory of each worker.

d = 100 features, linear model and MLP of 256 and 256 units. Every measurement in a process of its own, on the same
shards; each figure is of the fastest epoch after the first. Run by hand; takes about twenty minutes on two cores and
5 GB of disk.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from epoch_times import PLACE  # noqa: E402 - a neighbour

from dp_spark.end_model.settings import TrainingSettings  # noqa: E402
from dp_spark.labels.features import pack_features, unpack_features  # noqa: E402
from dp_spark.labels.input_columns import InputColumns  # noqa: E402
from dp_spark.labels.manifest import SHARDS_FOLDER, ShardManifest  # noqa: E402
from dp_spark.labels.shard_files import describe_file  # noqa: E402

D, HIDDEN = 100, (256, 256)
FILE_ROWS, GROUP_ROWS = 1_000_000, 40_000
FEED_BATCH, WORKERS_BATCH = 4_096, 16_384
NUM_EPOCHS = 4
WORKER_BATCHES = {"mlp": (1_024, 4_096, 16_384), "linear": (4_096, 16_384, 65_536)}
ONE_CORE = (
    "1 worker on 1 core"  # as it is on a cluster with a core for each task; else it also uses others to read
)
PARTS = ("feeding", "spark", "workers", "large")
LARGE_ROWS = 10_000_000


def main() -> None:
    """Measure, print a table, and write JSON if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--n", type=int, default=2_000_000, help="rows of all parts but `large` (%(default)s)"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)  # what, model, manifest: one measurement
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    place = Path(tempfile.mkdtemp(prefix="dp_spark_benchmark_"))
    try:
        found = [row for part in options.parts for row in run_part(part, options.n, place)]
    finally:
        shutil.rmtree(place)
    print_table(found)
    if options.json:
        options.json.write_text(json.dumps({"versions": versions(), "rows": found}, indent=2))


def run_part(part: str, num_rows: int, place: Path) -> Iterator[dict[str, object]]:
    """The measurements of one part, each in a process of its own."""
    rows = LARGE_ROWS if part == "large" else num_rows
    manifest = write_rows(place / f"{rows}", rows)
    ways = {
        "feeding": [
            (way, model)
            for model in ("linear", "mlp")
            for way in ("memory", "fit", "cached", "scratch", "uncached")
        ],
        "spark": [
            (way, model) for model in ("linear", "mlp") for way in ("by hand", f"1 worker of {FEED_BATCH}")
        ],
        "workers": [
            (f"{workers} of {batch}", model)
            for model, batches in WORKER_BATCHES.items()
            for batch in batches
            for workers in (ONE_CORE, "1 worker", "2 workers")
        ],
        "large": [(f"2 workers of {WORKERS_BATCH}", "linear")],
    }
    for way, model in ways[part]:
        command = [sys.executable, __file__, "--one", way, model, str(manifest)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            sys.exit(f"{way} {model} failed:\n{done.stderr[-4000:]}")
        yield {
            "part": part,
            "way": way,
            "model": model,
            "n": rows,
            **json.loads(done.stdout.splitlines()[-1]),
        }


def write_rows(place: Path, num_rows: int) -> Path:
    """Shards of random features and labels of a linear model; the path of their manifest."""
    if (place / "manifest.json").exists():
        return place / "manifest.json"
    folder = place / SHARDS_FOLDER
    folder.mkdir(parents=True)
    truth, files = np.linspace(-1, 1, D), []
    for start in range(0, num_rows, FILE_ROWS):
        random = np.random.default_rng(start)
        matrix = random.standard_normal((min(FILE_ROWS, num_rows - start), D), dtype=np.float32)
        labels = (1 / (1 + np.exp(-(matrix @ truth)))).astype(np.float32)
        table = pa.table({"features": pack_features(matrix), "prob_label": labels})
        path = folder / f"part-{start // FILE_ROWS:05d}.parquet"
        pq.write_table(table, path, row_group_size=GROUP_ROWS, compression="none", use_dictionary=False)
        files.append(describe_file(str(path), [], D))
    manifest = ShardManifest(
        path=str(place),
        inputs=InputColumns(("x",), feature_widths=(D,)),
        num_classes=2,
        num_data_points=num_rows,
        seed=0,
        key=(),
        schema=(),
        files=tuple(files),
    )
    (place / "manifest.json").write_text(manifest.to_json())
    return place / "manifest.json"


def measure(way: str, model: str, manifest_path: str) -> dict[str, object]:
    """One measurement, in this process."""
    path = Path(manifest_path)
    manifest = ShardManifest.from_json(path.read_text(), str(path.parent))
    if "worker" in way:
        return through_spark(manifest, model, way)
    seconds = {"fit": keras_fit, "by hand": by_hand}.get(way)
    times = seconds(manifest, model) if seconds else fed(manifest, model, way)
    return {"rows_per_second": manifest.num_data_points / min(times[1:]), "seconds": times}


def settings_of(model: str, batch_size: int = FEED_BATCH, **given: object) -> TrainingSettings:
    """The same training for all ways."""
    fixed = {"num_epochs": NUM_EPOCHS, "learning_rate": 0.001, "schedule": "constant"}
    return TrainingSettings(model=model, hidden_units=HIDDEN, batch_size=batch_size, **{**fixed, **given})


def one_thread() -> None:
    """TensorFlow as in a worker of one core."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(4)


def built(manifest: ShardManifest, model: str) -> tuple[object, object]:
    """Model and optimizer."""
    import keras

    from dp_spark.end_model.input_spec import InputSpec
    from dp_spark.end_model.model import build_model

    return build_model(InputSpec(("features",), D), settings_of(model)), keras.optimizers.Adam(0.001)


def fed(manifest: ShardManifest, model_name: str, way: str) -> list[float]:
    """Seconds per epoch of dp_spark's steps, on its feed or on arrays in memory."""
    one_thread()
    import tensorflow as tf

    from dp_spark.end_model.collective import Alone
    from dp_spark.end_model.dataset import training_dataset
    from dp_spark.end_model.feed import open_feed
    from dp_spark.end_model.input_spec import InputSpec
    from dp_spark.end_model.step import make_steps

    model, optimizer = built(manifest, model_name)
    optimizer.build(model.trainable_variables)
    if way == "memory":
        num_steps, dataset = in_memory(*loaded(manifest))
    else:
        cache, scratch = (4 << 30 if way == wanted else 0 for wanted in ("cached", "scratch"))
        feed = open_feed(manifest, settings_of(model_name, cache_bytes=cache, scratch_bytes=scratch), 0)
        num_steps = feed.num_steps
        dataset = training_dataset(feed, InputSpec(("features",), D), 0, NUM_EPOCHS)
    run, batches, times = make_steps(model, optimizer, Alone(), ()), iter(dataset), []
    for _ in range(NUM_EPOCHS):
        started = time.perf_counter()
        run(batches, tf.constant(num_steps, tf.int64), tf.zeros(4, tf.float64)).numpy()
        times.append(time.perf_counter() - started)
    return times


def loaded(manifest: ShardManifest) -> tuple[np.ndarray, np.ndarray]:
    """All features and labels."""
    tables = [pq.read_table(manifest.file_path(file)) for file in manifest.files]
    parts = [unpack_features(pa.concat_arrays(table["features"].chunks), D) for table in tables]
    return np.concatenate(parts), np.concatenate([table["prob_label"].to_numpy() for table in tables])


def in_memory(matrix: np.ndarray, labels: np.ndarray) -> tuple[int, object]:
    """Batches of shuffled rows of arrays, as a dataset of the same shape as dp_spark's."""
    import tensorflow as tf

    num_steps, weights = len(labels) // FEED_BATCH, np.ones(FEED_BATCH, np.float32)

    def batches() -> Iterator[tuple[np.ndarray, ...]]:
        for epoch in range(NUM_EPOCHS):
            order = np.random.default_rng(epoch).permutation(len(labels))
            for step in range(num_steps):
                rows = order[step * FEED_BATCH : (step + 1) * FEED_BATCH]
                yield matrix[rows], labels[rows], weights

    shapes = ((FEED_BATCH, D), (FEED_BATCH,), (FEED_BATCH,))
    signature = tuple(tf.TensorSpec(shape, tf.float32) for shape in shapes)
    return num_steps, tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)


def keras_fit(manifest: ShardManifest, model_name: str) -> list[float]:
    """Seconds per epoch of Keras' own `fit` on arrays in memory."""
    one_thread()
    import keras
    import tensorflow as tf

    times = []

    class Times(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            times.append(time.perf_counter() - self.started)

    model, optimizer = built(manifest, model_name)
    model.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    matrix, labels = loaded(manifest)
    del tf
    model.fit(
        matrix, labels[:, None], batch_size=FEED_BATCH, epochs=NUM_EPOCHS, verbose=0, callbacks=[Times()]
    )
    return times


def by_hand(manifest: ShardManifest, model_name: str) -> list[float]:
    """Seconds per epoch of the loop that one would write: row groups in random order, one graph per epoch."""
    one_thread()
    import keras
    import tensorflow as tf

    model, optimizer = built(manifest, model_name)
    optimizer.build(model.trainable_variables)
    paths = [manifest.file_path(file) for file in manifest.files]
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for epoch in range(NUM_EPOCHS):
            random = np.random.default_rng(epoch)
            for path in random.permutation(paths):
                file = pq.ParquetFile(path)
                for group in random.permutation(file.num_row_groups):
                    table = file.read_row_group(group)
                    matrix = unpack_features(pa.concat_arrays(table["features"].chunks), D)
                    labels = table["prob_label"].to_numpy()
                    order = random.permutation(len(labels))
                    for start in range(0, len(order) - FEED_BATCH + 1, FEED_BATCH):
                        rows = order[start : start + FEED_BATCH]
                        yield matrix[rows], labels[rows, None]

    @tf.function
    def epoch(iterator: object, num_steps: object) -> None:
        for _ in tf.range(num_steps):
            inputs, labels = next(iterator)
            with tf.GradientTape() as tape:
                loss = loss_of(labels, model(inputs, training=True))
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )

    signature = tuple(tf.TensorSpec((FEED_BATCH, width), tf.float32) for width in (D, 1))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    groups = [file.num_data_points // GROUP_ROWS for file in manifest.files]
    num_steps = sum(groups) * (GROUP_ROWS // FEED_BATCH)
    iterator, times = iter(dataset), []
    for _ in range(NUM_EPOCHS):
        started = time.perf_counter()
        epoch(iterator, tf.constant(num_steps))
        times.append((time.perf_counter() - started) * manifest.num_data_points / (num_steps * FEED_BATCH))
    return times


def through_spark(manifest: ShardManifest, model: str, way: str) -> dict[str, object]:
    """Rows per second of `train_end_model` on local Spark, its start-up, and the workers' peak memory."""
    place = Path(tempfile.mkdtemp())
    os.environ[PLACE] = str(place / "times")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
    from dp_spark.end_model.train import train_end_model
    from dp_spark.session import spark_session
    from dp_spark.storage import Storage

    if way.startswith(ONE_CORE):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    num_workers, batch_size = int(way[0]), int(way.rpartition(" ")[2])
    num_epochs = 2 if manifest.num_data_points >= LARGE_ROWS else NUM_EPOCHS
    settings = settings_of(
        model, batch_size, num_workers=num_workers, num_epochs=num_epochs, callbacks="epoch_times:callbacks"
    )
    spark = spark_session("benchmark", {"spark.master": f"local[{num_workers}]"})
    peaks, stop = {}, threading.Event()
    watcher = threading.Thread(target=watch_memory, args=(peaks, stop), daemon=True)
    watcher.start()
    started = time.time()
    trained = train_end_model(spark, manifest, settings, storage=Storage(spark))
    ended = time.time()
    stop.set()
    times = [float(line) for line in (place / "times").read_text().split()]
    epochs = list(np.diff(times))
    return {
        "rows_per_second": manifest.num_data_points / min(epochs[1:]),
        "seconds": epochs,
        "start_seconds": times[0] - started,
        "end_seconds": ended - times[-1],
        "loss": trained.history[-1]["loss"],
        "worker_peak_mb": sorted(peaks.values()),
    }


def watch_memory(peaks: dict[int, float], stop: threading.Event) -> None:
    """The peak resident memory of every training process, in MB."""
    while not stop.wait(0.2):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if b"dp_spark.end_model.worker" in (process / "cmdline").read_bytes():
                    status = (process / "status").read_text()
                    peaks[int(process.name)] = int(status.split("VmHWM:")[1].split()[0]) / 1024
            except (OSError, IndexError):  # it ended just now
                continue


def versions() -> dict[str, str]:
    """Of what is measured."""
    from importlib.metadata import version

    return {name: version(name) for name in ("tensorflow", "keras", "pyarrow", "pyspark", "numpy")}


def print_table(found: list[dict[str, object]]) -> None:
    """All measurements, each against the first of its part and model."""
    print(", ".join(f"{name} {number}" for name, number in versions().items()))
    titles = f"{'part':8s} {'model':7s} {'way':22s} {'n':>11s} {'rows/s':>11s} {'ratio':>6s}"
    print(f"{titles}  start, end s  peak MB per worker")
    first: dict[tuple[object, ...], float] = {}
    for row in found:
        speed = float(str(row["rows_per_second"]))
        batch = row["way"].rpartition(" of ")[2] if row["part"] == "workers" else ""
        base = first.setdefault((row["part"], row["model"], batch), speed)
        start = f"{row['start_seconds']:.1f}, {row['end_seconds']:.1f}" if "start_seconds" in row else ""
        peaks = ", ".join(f"{peak:,.0f}" for peak in row.get("worker_peak_mb", []))
        names = f"{row['part']:8s} {row['model']:7s} {row['way']:22s}"
        print(f"{names} {row['n']:11,d} {speed:11,.0f} {speed / base:6.2f}  {start:12s}  {peaks}")


if __name__ == "__main__":
    main()
