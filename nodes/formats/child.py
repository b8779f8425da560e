"""The guarded child: reads the file on its standard input and writes what the job asks for to its standard output.

Run as `python -m nodes.formats.child JOB SAY SECONDS`: two descriptors, and the processor time it may take.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import IO, Any, NoReturn

from nodes.formats.content import Unreadable
from nodes.formats.guarded import MEMORY_BYTES
from nodes.formats.job import Job, Report
from nodes.formats.reading import read
from nodes.formats.writing import write

MAX_TEMPORARY = 4 * 1024 * 1024 * 1024  # bytes of one temporary file of a workbook being written
OUT_BUFFER = 256 * 1024


def main() -> NoReturn:
    """Exit code 0, and a report or `{"refused": sentence}` on the second descriptor, whatever the file holds."""
    job_pipe, say_pipe, seconds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with os.fdopen(job_pipe, "rb") as pipe:
        job = Job(**json.load(pipe))
    _limit(job, seconds)
    told: dict[str, Any]
    try:
        # Unbuffered, because several readers in turn begin at its beginning.
        with io.FileIO(0, closefd=False) as file, os.fdopen(1, "wb", buffering=OUT_BUFFER, closefd=False) as out:
            told = asdict(_done(job, file, out))
    except Unreadable as error:
        told = {"refused": error.message}
    except MemoryError:
        told = {"refused": "memory"}
    except BrokenPipeError:
        os._exit(0)  # The parent has seen enough.
    except (Exception, RecursionError) as error:
        # The readers are other people's; a file that none of them foresaw is a file that cannot be read.
        told = {
            "refused": f"The file cannot be read as what it says it is ({type(error).__name__}). It may be damaged."
        }
    gc.disable()
    os.close(1)
    with contextlib.suppress(BrokenPipeError), os.fdopen(say_pipe, "wb") as pipe:
        pipe.write(json.dumps(told).encode())
    os._exit(0)


def _limit(job: Job, seconds: int) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    temporary = MAX_TEMPORARY if job.task == "write" else 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (temporary, temporary))


def _done(job: Job, file: io.FileIO, out: IO[bytes]) -> Report:
    report = Report()
    if job.task == "read":
        for line in _lines(job, file, report):
            out.write(line)
    elif job.task == "write":
        write(lambda: read(job, file, report), job, out, report)
    else:
        _inspect(job, file, out)
    out.flush()
    return report


def _lines(job: Job, file: io.FileIO, report: Report) -> Iterator[bytes]:
    for item in read(job, file, report):
        yield (
            json.dumps(item, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace") + b"\n"
        )
        report.count += 1


def _inspect(job: Job, file: io.FileIO, out: IO[bytes]) -> None:
    if job.format == "xlsx":
        from nodes.formats.workbook import inspect

        inspect(file)
    elif job.format == "pdf":
        from nodes.formats.pdf import inspect

        inspect(file)
    else:
        from nodes.formats.remade_picture import remade

        remade(file, job.format, out)


if __name__ == "__main__":
    main()
