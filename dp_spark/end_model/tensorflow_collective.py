"""The sum of one vector over all training processes by `tf.distribute`, used as communicator only.

No variable and no model knows of the strategy: Keras 3 does not work with it. TensorFlow adds in a ring, or
by NCCL where there are GPUs (which could not be tested): two processes get the same bytes as from the star
of `collective`, more get the same sum up to rounding. Its port serves anyone who reaches it, so that the
settings allow it in an isolated network alone.  (docs/training.md)
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from dp_spark.end_model.collective import Collective, Vector
from dp_spark.end_model.job import WorkerJob
from dp_spark.errors import EnvironmentProblem

NUM_INTER_OP_THREADS = 4  # the collective blocks one of them while the feed needs others

_REUSE_PORT = "TF_GRPC_REUSE_PORT"  # the Spark task holds the port, so that no other process gets it
_TASK_TYPE = "worker"


@dataclass(frozen=True)
class TensorFlowCollective:
    """One process's place among the others; made by `join`.

    Errors of TensorFlow pass through: `UnavailableError` if another process ended, `DeadlineExceededError`
    if one is silent. After one every later sum fails too.

    Attributes:
        strategy: with one replica in each process.
    """

    strategy: tf.distribute.MultiWorkerMirroredStrategy
    _traced: Callable[[tf.Tensor], tf.Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_traced", tf.function(self.all_reduce_in_graph))

    def all_reduce(self, vector: Vector) -> Vector:
        """The sum over all processes.

        Args:
            vector: (k,) float32, k the same in all processes.
        """
        total: Vector = self._traced(tf.constant(vector, tf.float32)).numpy()
        return total

    def all_reduce_in_graph(self, flat: tf.Tensor) -> tf.Tensor:
        """The same as a TensorFlow operation, for a (k,) float32 tensor inside a `tf.function`."""
        return self.strategy.run(_sum_over_replicas, args=(flat,))

    def close(self) -> None:
        """Do nothing: the server ends with its process."""


def join(job: WorkerJob, meeting: Collective) -> TensorFlowCollective:
    """This process's place among the others; initialises TensorFlow.

    Args:
        job: with the peers' addresses.
        meeting: the authenticated star of the same processes, joined already. TensorFlow itself would wait
            without end for a process that died before; the star is closed when all are ready.

    Raises:
        EnvironmentProblem: if this process sees several GPUs.
        TrainingError: if another process is lost before all are ready.
    """
    set_devices(job.num_threads)
    os.environ[_REUSE_PORT] = "1"
    addresses = [f"{host}:{port}" for host, port in job.peers]
    cluster = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({_TASK_TYPE: addresses}),
        task_type=_TASK_TYPE,
        task_id=job.rank,
        rpc_layer="grpc",
    )
    _refuse_several_gpus()
    meeting.all_reduce(np.zeros(1, np.float32))
    strategy = tf.distribute.MultiWorkerMirroredStrategy(
        cluster_resolver=cluster,
        communication_options=tf.distribute.experimental.CommunicationOptions(
            implementation=tf.distribute.experimental.CommunicationImplementation.AUTO,
            timeout_seconds=job.training.settings.timeout_seconds,
        ),
    )
    meeting.close()
    return TensorFlowCollective(strategy)


def set_devices(num_threads: int) -> None:
    """Set TensorFlow's thread pools and its use of GPU memory; again with the same number it does nothing."""
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(NUM_INTER_OP_THREADS)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def _sum_over_replicas(flat: tf.Tensor) -> tf.Tensor:
    # without tf.identity TensorFlow refuses the value: "destinations can not be empty"
    return tf.distribute.get_replica_context().all_reduce("SUM", tf.identity(flat))


def _refuse_several_gpus() -> None:
    """The strategy would count the process once for each GPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) > 1:
        raise EnvironmentProblem(
            f"a training process sees {len(gpus)} GPUs: expected 1. Give each Spark task one "
            "(spark.task.resource.gpu.amount=1), or set CUDA_VISIBLE_DEVICES on the executors."
        )
