"""The README's job script goes on after the signal that ends a job."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"

LPA = """#!/bin/bash
trap 'exit 75' USR1
echo "$@" > asked
for i in $(seq 200); do sleep 0.05; [ -e finish ] && exit "$(cat finish)"; done
"""
"""Waits as a training does; ``finish`` tells its exit status."""


def started(folder: Path) -> subprocess.Popen[bytes]:
    """Run the script with an lpa and a Slurm of ours; return when lpa has begun."""
    (script,) = re.findall(r"```sh\n(#SBATCH .*?)```", README.read_text(), re.DOTALL)
    (folder / "job.sh").write_text(script)
    for name, text in (("lpa", LPA), ("scontrol", '#!/bin/bash\necho "$@" > requeued\n')):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    slurm = {"SLURM_ARRAY_JOB_ID": "9", "SLURM_ARRAY_TASK_ID": "3"}
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    job = subprocess.Popen(["bash", "job.sh"], cwd=folder, env=os.environ | slurm | path)
    while not (folder / "asked").exists() and job.poll() is None:
        time.sleep(0.01)
    return job


def test_a_job_that_is_told_to_end_is_queued_again(tmp_path: Path) -> None:
    job = started(tmp_path)
    time.sleep(0.2)  # until the shell waits
    job.send_signal(signal.SIGUSR1)
    assert job.wait(60) == 75
    assert (tmp_path / "requeued").read_text() == "requeue 9_3\n"
    assert "--shard 3/100" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("status", [0, 1])
def test_a_job_that_came_to_its_end_is_not(tmp_path: Path, status: int) -> None:
    job = started(tmp_path)
    (tmp_path / "finish").write_text(str(status))
    assert job.wait(60) == status
    assert not (tmp_path / "requeued").exists()
