"""The processor's cores, and who computes on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Event

from threadpoolctl import threadpool_limits

#: Says how OpenMP's threads wait (OpenMP 5.2, section 21.7).
OPENMP_WAITING = "OMP_WAIT_POLICY"

#: What :func:`limit_cores` said.
_given: list[int] = []


def cores() -> int:
    """The processors this process may use, which in a container are fewer than the machine's."""
    if _given:
        return _given[-1]
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_cores(count: int) -> None:
    """Have this process use so many processors from now on, and no more: it shares a machine with
    others that were given the rest."""
    _given[:] = [count]


def are_limited() -> bool:
    """Whether this process uses only as many processors as it was given."""
    return bool(_given)


#: Set where numpy's BLAS computes in the thread that calls it, and no other.
_blas_limited = Event()


def limit_blas_threads() -> None:
    """Have numpy's BLAS compute in the thread that calls it, from now on and in all of this
    process; :func:`in_slices` then shares work among threads.

    BLAS's own threads wait for more work without sleeping, for up to a tenth of a second after a
    search: on all cores, which the next picture's network then has to share with them.
    """
    threadpool_limits(limits=1, user_api="blas")
    _blas_limited.set()


@contextmanager
def sleeping_openmp() -> Iterator[None]:
    """Have the threads of an OpenMP library that is loaded meanwhile sleep until there is work.

    By default they wait without sleeping, at the end of each of the many pieces of a step of a
    training. Where other programs want the cores, that takes four times the processor time of the
    work itself, and the others have to do without. A library reads this once, when it is loaded."""
    if OPENMP_WAITING in os.environ:
        yield
        return
    os.environ[OPENMP_WAITING] = "passive"
    try:
        yield
    finally:
        del os.environ[OPENMP_WAITING]


def in_slices(work: Callable[[slice], object], count: int) -> None:
    """Do ``work`` for slices that make up ``count``: one a core, at the same time, where BLAS does
    not use all cores for each anyway, and else one."""
    workers = cores() if _blas_limited.is_set() else 1
    step = max(1, -(-count // workers))
    slices = [slice(start, min(start + step, count)) for start in range(0, count, step)]
    if len(slices) == 1:
        work(slices[0])
    else:
        list(_pool(workers).map(work, slices))


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="core")
