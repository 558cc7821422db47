"""TensorBoard's scalars of a label model's fit: its loss by step, and where it ended.

Tags begin with "label_model/", so that the end model's scalars can be in the same directory.
"""

import tempfile
from pathlib import Path

import tensorflow as tf

from dp_spark.label_model.fit_path import fit_path
from dp_spark.label_model.model import LabelModel
from dp_spark.scalars import write_scalars


def event_file(model: LabelModel) -> tuple[str, bytes]:
    """The name and the content of an event file: the fit's path, then accuracies and class balance at its last step."""
    path = fit_path(model)
    last = max((step for steps in path.values() for step, _ in steps), default=0)
    ends = {
        f"label_model/accuracy/{n}": float(p) for n, p in zip(model.lf_names, model.accuracies, strict=True)
    }
    ends |= {
        f"label_model/class_balance/{c}": float(p)
        for c, p in zip(model.classes, model.class_balance, strict=True)
    }
    with tempfile.TemporaryDirectory() as directory:
        writer = tf.summary.create_file_writer(directory)
        for name, steps in path.items():
            for step, value in steps:
                write_scalars(writer, step, {f"label_model/{name}": value})
        write_scalars(writer, last, ends)
        writer.close()
        (file,) = Path(directory).iterdir()
        return file.name, file.read_bytes()
