"""Work on the rows of a catalogue by the machines of a cluster: Ray Data hands blocks of rows to
workers, and gives those of a machine that is lost to others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fitting_room.cluster.connection import ClusterError
from fitting_room.cluster.results import Columns, why_broken
from fitting_room.cluster.worker import PictureTask, PictureWorker

if TYPE_CHECKING:
    import pyarrow as pa

#: Processors that a worker computes on at most; beyond that two workers are quicker than one.
MOST_THREADS = 4
#: Blocks of rows: so many for each processor, so that all end at about the same time, of so many
#: rows at least and at most. What a lost machine had begun is done again.
BLOCKS_PER_CORE, LEAST_ROWS, MOST_ROWS = 8, 16, 1_024


def cores_of_machines() -> list[int]:
    """The processors of each machine of the cluster that has some to give."""
    import ray

    machines = [machine for machine in ray.nodes() if machine["Alive"]]
    cores = [int(machine["Resources"].get("CPU", 0)) for machine in machines]
    return [count for count in cores if count]


def threads_for(cores: list[int]) -> int:
    """How many processors a worker should have, so that few of them are left over."""
    return max(
        range(1, MOST_THREADS + 1), key=lambda n: (sum(count // n * n for count in cores), n)
    )


def stream(
    worker: type[PictureWorker], task: PictureTask, table: pa.Table, *, gpus: int = 0
) -> Iterator[Columns]:
    """What workers answer of the rows of a table, in any order. Those of a block come once, also
    where a machine is lost. Raises :class:`ClusterError` where a machine cannot work."""
    import ray
    from ray.data import ActorPoolStrategy

    cores = cores_of_machines()
    if not cores:
        raise ClusterError("The Ray cluster has no processors to give. Add machines to it.")
    workers = sum(count // task.threads for count in cores)
    rows = -(-table.num_rows // (BLOCKS_PER_CORE * sum(cores)))
    rows = min(max(rows, LEAST_ROWS), MOST_ROWS)
    blocks = [table.slice(start, rows) for start in range(0, table.num_rows, rows)]
    answers = ray.data.from_arrow(blocks).map_batches(
        worker,
        fn_constructor_args=(task,),
        batch_size=None,
        batch_format="pyarrow",
        # A pool of a fixed size would wait for ever for workers that no machine is left for.
        compute=ActorPoolStrategy(min_size=1, max_size=max(1, min(workers, len(blocks)))),
        num_cpus=task.threads,
        num_gpus=gpus,
    )
    try:
        for columns in answers.iter_batches(batch_size=None, batch_format="numpy"):
            if (why := why_broken(columns)) is not None:
                raise ClusterError(why)
            yield columns
    except ray.exceptions.RayError as error:
        reason = _in_words(error)
        raise ClusterError(
            f"The Ray cluster could not do its work ({reason}). What is done is kept: give the "
            "same command again."
        ) from error


def _in_words(error: BaseException) -> str:
    """What went wrong first, without the traces of those that handed it on."""
    seen = [error]
    while (cause := getattr(seen[-1], "cause", None) or seen[-1].__cause__) and cause not in seen:
        seen.append(cause)
    text = next(iter(str(seen[-1]).strip().splitlines()), "no reason is given")
    return f"{type(seen[-1]).__name__}: {text[:300]}"


def once(columns: Columns, came: np.ndarray) -> Columns:
    """The rows that have not come before, which are noted in ``came``, bool."""
    new = ~came[columns["row"]]
    came[columns["row"]] = True
    return columns if new.all() else {name: values[new] for name, values in columns.items()}
