"""On a real Ray cluster of three nodes on this machine: the same outcomes, whatever dies."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import object_stores
import psutil
import pytest
import tiny
from crews import Crew, Maker, crew

import lpa
from lpa.engines import engine_named
from lpa.engines.on_ray import OnRay, Share, share_of
from lpa.engines.ray_cluster import Node, connect, disconnect, nodes
from lpa.engines.ray_worker import SHARED, pack, unpack
from lpa.engines.sent_store import SentStore
from lpa.errors import InputError
from lpa.outcomes import Store

ray = pytest.importorskip("ray")

TESTS = Path(__file__).parent
LPA = Path(sys.executable).with_name("lpa")


class Cluster:
    """Three nodes of one processor each, the first with a GPU, as far as Ray is told."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Local

        head = {"num_cpus": 1, "num_gpus": 1, "include_dashboard": False}
        self.local = Local(initialize_head=True, head_node_args=head)
        self.others = [self.local.add_node(num_cpus=1) for _ in range(2)]
        self.address: str = self.local.address

    def kill_one(self) -> None:
        self.local.remove_node(self.others.pop(), allow_graceful=False)

    def empty(self) -> bool:
        """Whether no worker is left; the processes take a moment to end."""
        limit = time.monotonic() + 20
        while self.workers() and time.monotonic() < limit:
            time.sleep(0.1)
        return not self.workers()

    def workers(self) -> list[psutil.Process]:
        """Processes of this cluster alone: another may be on the machine."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("ray::RayWorker"):
                    found.append(process)
        return found


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file in which slow models write down their passes, on all nodes."""
    with pytest.MonkeyPatch.context() as patch:
        file = tmp_path_factory.mktemp("passes") / "passes"
        patch.setenv("TINY_PASSES", str(file))
        yield file


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a bucket that all nodes see."""
    with object_stores.serving():
        yield f"s3://{object_stores.BUCKET}"


@pytest.fixture(scope="module")
def cluster(passes: Path, s3: str) -> Iterator[Cluster]:
    made = Cluster()
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    assert connect(made.address)
    # Ray's own would end the driver in the middle.
    assert [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)] == handlers
    yield made
    disconnect()
    made.local.shutdown()


def run(
    work: Crew,
    units: list[Any],
    stop: threading.Event | None = None,
    device: str = "cpu",
    **options: Any,
) -> list[Any]:
    with OnRay(**options) as engine:
        engine.device(device)
        return list(engine.run(units, work, stop or threading.Event()))


def when(condition: Callable[[], bool], then: Callable[[], None]) -> threading.Thread:
    """Do something once a condition holds, while the test goes on."""

    def wait() -> None:
        limit = time.monotonic() + 120
        while not condition() and time.monotonic() < limit:
            time.sleep(0.02)
        then()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


# ---- the engine alone ----------------------------------------------------------------------


def test_units_that_kill_or_hang_are_done_elsewhere_or_given_up_and_stop_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    work = crew(tmp_path / "store")
    odd = [
        ("die once", str(tmp_path / "died")),
        ("hang once", str(tmp_path / "hung")),
        ("die", None),
    ]
    squares = [("square", number) for number in range(9)]
    found = run(work, [*odd, *squares], unit_time=5.0)
    (name,) = work.nodes
    reason = f"3 workers were lost at it, the last on {name}: its process died"
    assert sorted(map(str, found)) == sorted(
        map(str, ["die once", "hang once", ("lost", "die", reason), *(n**2 for n in range(9))])
    )
    assert sorted(work.notes) == sorted(
        [f"a worker on {name} is replaced: its process died"] * 4
        + [f"a worker on {name} is replaced: it took longer than --unit-time 5 s"]
    )
    # One tick a unit that was done, however often it was begun.
    assert work.ticks == len(odd) - 1 + len(squares)
    # They saw the folder itself; the object by which they knew it is gone.
    assert work.store.list("units") == [f"units/{number}" for number in range(9)]
    assert work.store.entries() == ["units"]
    assert cluster.empty()


def test_a_machine_that_lacks_something_gets_no_work(cluster: Cluster, tmp_path: Path) -> None:
    made = Maker("/data cannot be read there", str(tmp_path / "first"))
    work = crew(tmp_path / "store", made=made)
    found = run(work, [("square", number) for number in range(6)])
    assert sorted(found) == [n**2 for n in range(6)]
    (name,) = work.nodes
    assert work.notes == [f"{name} gets no work: /data cannot be read there"]


def test_where_no_machine_can_do_the_work_one_line_says_why(
    cluster: Cluster, tmp_path: Path
) -> None:
    work = crew(tmp_path / "store", made=Maker("/data cannot be read there"))
    with pytest.raises(InputError) as caught:
        run(work, [("square", number) for number in range(6)])
    assert str(caught.value) == (
        f"no machine of the cluster can do the work: {nodes()[0].name}: /data cannot be read there"
    )
    assert len(work.notes) == 3
    assert cluster.empty()


def test_what_a_unit_refuses_on_two_machines_comes_to_the_caller(
    cluster: Cluster, tmp_path: Path
) -> None:
    work = crew(tmp_path / "store")
    with pytest.raises(InputError, match=r"^the file 3\.png has changed$"):
        run(work, [("refuse", "the file 3.png has changed"), *[("square", n) for n in range(5)]])
    with pytest.raises(RuntimeError, match=r"\): ZeroDivisionError: one \(.*crews\.py:\d+\)$"):
        run(work, [("break", "one")])


def test_when_stopped_units_under_way_end_and_no_other_begins(
    cluster: Cluster, tmp_path: Path
) -> None:
    work, stop = crew(tmp_path / "store"), threading.Event()
    files = [tmp_path / str(number) for number in range(20)]
    when(lambda: sum(file.exists() for file in files) == 3, stop.set)
    found = run(work, [("until stopped", str(file)) for file in files], stop)
    assert found == ["stopped"] * 3
    assert sum(file.exists() for file in files) == 3
    assert work.ticks == 6
    assert cluster.empty()


def test_a_store_that_machines_do_not_see_is_reached_through_the_driver(
    cluster: Cluster, tmp_path: Path
) -> None:
    # A memory of this process alone.
    work = Crew(Store(f"memory://{tmp_path.name}/run"))
    found = run(work, [("where", None), *[("square", number) for number in range(4)]])
    assert sorted(found[:-1] + found[-1:], key=str) == sorted(
        [("SentStore", "cpu", 1), *(n**2 for n in range(4))], key=str
    )
    assert {name: work.store.get(name) for name in work.store.list("units")} == {
        f"units/{number}": str(number**2).encode() for number in range(4)
    }
    assert work.store.entries() == ["units"]


def test_a_folder_and_an_object_store_that_machines_see_are_written_by_them(
    cluster: Cluster, s3: str, tmp_path: Path
) -> None:
    for location, kind in ((tmp_path / "store", "FolderStore"), (f"{s3}/run", "ObjectStore")):
        work = Crew(Store(str(location)))
        found = run(work, [("where", None), ("square", 3)])
        assert sorted(found, key=str) == sorted([(kind, "cpu", 1), 9], key=str)
        assert work.store.get("units/3") == b"9"
        assert work.store.entries() == ["units"]


def test_four_workers_of_small_models_share_a_gpu_and_one_of_large_ones_has_it_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    with OnRay() as engine:
        assert engine.device("auto") == "cuda"
    # Each waits until all four are at work.
    small = crew(tmp_path / "small", weights=10**6)
    found = run(small, [("together", (str(tmp_path), 4, n)) for n in range(4)], device="auto")
    assert found == [("FolderStore", "cuda:0", 1)] * 4
    large = crew(tmp_path / "large", weights=10**9)
    found = run(large, [("alone", str(tmp_path / "alone"))] * 3, device="auto")
    assert found == ["alone"] * 3


def test_what_is_sent_arrives_as_it_was_and_cannot_be_anything(
    cluster: Cluster, tmp_path: Path
) -> None:
    import numpy as np

    large = np.arange(SHARED, dtype=np.uint8)
    small = np.arange(10.0)
    sent = unpack(ray.get(ray.put(pack({"large": large, "small": small}))))
    assert np.array_equal(sent["large"], large)
    assert not sent["large"].flags.writeable  # In the memory that all workers of a machine share.
    assert sent["small"].flags.writeable
    with pytest.raises(InputError) as caught:
        run(crew(tmp_path, made=Maker(payload=threading.Lock())), [("square", 1)])
    assert str(caught.value) == (
        "models or data cannot be sent to other machines (TypeError: cannot pickle '_thread.lock' "
        "object); expected objects that can be pickled: give them by name or path, or use "
        "--engine local"
    )


def test_the_store_of_another_process_offers_whatever_a_store_does() -> None:
    public = {n for n, v in vars(Store).items() if callable(v) and not n.startswith("_")}
    assert public - set(vars(SentStore)) == set()


# ---- experiments ---------------------------------------------------------------------------


def exported(location: Path) -> bytes:
    return lpa.open(location).export(location.with_suffix(".parquet")).read_bytes()


def test_a_scan_equals_the_one_in_process_though_a_node_dies_in_the_middle(
    cluster: Cluster, passes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tiny.folder(tmp_path / "photos", per_class=64)
    asked: dict[str, Any] = {
        "models": "tiny:slow,tiny:slow_second", "data": str(data), "aug": "crop=1,.5,.3",
        "draws": 2, "device": "cpu",
    }  # fmt: skip
    out = tmp_path / "ray"
    killing = when(lambda: len(list(out.glob("units/*.parquet"))) >= 2, cluster.kill_one)
    lpa.scan(**asked, out=out, engine="ray", address=cluster.address)
    killing.join()
    said = capfd.readouterr()
    lost = f"lost a worker with {nodes()[0].name}; its work is done elsewhere"
    assert lost in said.err.splitlines()
    assert "scan: 6400 of 6400 images (100 %)" in said.err
    assert said.out == ""  # Nothing of what Ray has to say about it.
    lpa.scan(**asked, out=tmp_path / "local")
    assert exported(out) == exported(tmp_path / "local")
    assert len(list(out.glob("units/*.parquet"))) >= 10
    ours, theirs = (
        sorted(file.name.split("-")[0] for file in (folder / "examples").iterdir())
        for folder in (out, tmp_path / "local")
    )
    assert set(ours) == set(theirs)
    (plan,) = lpa.open(out).outcomes.plans
    assert f"ray: {nodes()[0].name}, 1 CPUs, 1 GPUs, on cpu" in plan["device"]


def test_a_sweep_and_its_weights_equal_those_in_process_though_a_worker_is_killed(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {
        "values": "1,.3", "seeds": 3, "limit": 200, "recipe": {"epochs": 30}, "stack": 1,
        "device": "cpu",
    }  # fmt: skip
    out = tmp_path / "ray"

    def kill() -> None:
        for worker in cluster.workers():
            worker.kill()

    killing = when(lambda: len(list(out.glob("units/*.parquet"))) >= 1, kill)
    lpa.train_sweep(**asked, out=out, engine="ray", address=cluster.address)
    killing.join()
    assert "is replaced: its process died" in capfd.readouterr().err
    lpa.train_sweep(**asked, out=tmp_path / "local")
    assert exported(out) == exported(tmp_path / "local")
    ours, theirs = (
        {file.name: file.read_bytes() for file in (folder / "weights").iterdir()}
        for folder in (out, tmp_path / "local")
    )
    assert ours == theirs
    assert len(ours) == 6
    assert list(out.glob("checkpoints/*")) == []
    # A probe of what it kept.
    probed: dict[str, Any] = {
        "data": "digits", "backbones": str(out), "limit": 300, "recipe": {"epochs": 2},
        "device": "cpu",
    }  # fmt: skip
    lpa.probe(
        **probed, cache=tmp_path / "there", out=tmp_path / "p", engine="ray",
        address=cluster.address,
    )  # fmt: skip
    lpa.probe(**probed, cache=tmp_path / "here", out=tmp_path / "q")
    assert exported(tmp_path / "p") == exported(tmp_path / "q")


def test_pictures_and_weights_come_through_the_driver_where_machines_do_not_see_the_store(
    cluster: Cluster, tmp_path: Path
) -> None:
    hidden = f"memory://{tmp_path.name}"
    asked: dict[str, Any] = {
        "values": "1,.3", "seeds": 1, "limit": 100, "recipe": {"epochs": 2}, "device": "cpu",
    }  # fmt: skip
    lpa.train_sweep(**asked, out=f"{hidden}/sweep", engine="ray", address=cluster.address)
    lpa.train_sweep(**asked, out=tmp_path / "sweep")
    scanned: dict[str, Any] = {
        "models": "tiny:first", "data": str(tiny.folder(tmp_path / "photos")), "aug": "crop=1,.5",
        "device": "cpu",
    }  # fmt: skip
    lpa.scan(**scanned, out=f"{hidden}/scan", engine="ray", address=cluster.address)
    lpa.scan(**scanned, out=tmp_path / "scan")
    for name, folder in (("sweep", "weights"), ("scan", "examples")):
        ours, theirs = Store(f"{hidden}/{name}"), Store(tmp_path / name)
        assert ours.entries() == theirs.entries()
        objects = theirs.list(folder)
        assert [ours.get(each) for each in objects] == [theirs.get(each) for each in objects]
        assert len(objects) == 2
        export = lpa.open(f"{hidden}/{name}").export(tmp_path / f"{name}-sent.parquet")
        assert export.read_bytes() == exported(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_cluster_for_the_run_stops_with_status_75_says_nothing_itself_and_is_gone(
    tmp_path: Path,
) -> None:
    words = [
        "train-sweep", "--values", "1,.3", "--seeds", "3", "--limit", "200", "--epochs", "200",
        "--device", "cpu", "--no-report", "--stack", "1",
    ]  # fmt: skip
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [str(LPA), *words, "--engine", "ray", "-o", "run"],
        env=surroundings, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out = tmp_path / "run"
    limit = time.monotonic() + 120
    while not list(out.glob("units/*")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    started = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in child.name() for child in started)
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate()
    assert process.returncode == 75, errors
    stored = len(list(out.glob("units/*.parquet")))
    assert 1 <= stored < 6
    ours = [line for line in errors.splitlines() if not line.startswith(("training: ", "data: "))]
    assert ours == [
        "model: small_cnn (small_cnn), 8 px, crop 1, squash, bilinear, mean .5 .5 .5, std .5 .5 .5",
        "      'all' is the only split: 25% of each class is evaluated",
        "stopping: what is finished is being stored",
        f"stopped after {stored} of 6 trainings, which are stored in run, with the state of those "
        "under way; the same command goes on from there",
    ]
    assert output == ""
    assert list(out.glob("checkpoints/*.pt")) != []
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []


# ---- what cannot be ------------------------------------------------------------------------


def refused(address: str | None, **options: Any) -> str:
    with pytest.raises(InputError) as caught, engine_named("ray", address=address, **options):
        pass
    return str(caught.value)


@pytest.fixture
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)


@pytest.mark.usefixtures("unconnected")
def test_addresses_that_are_none_are_answered_in_one_line() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    for text in (address, f"ray://{address}"):
        assert refused(text) == (
            f"--address {text} does not answer (Connection refused); expected the head of a "
            "running Ray cluster (ray start --head prints its address), or no --address to start "
            "one here"
        )
    for text in ("gpu07", "http://gpu07:6379", "gpu07:", ":6379"):
        assert refused(text) == (
            f"--address {text} is no address of a Ray cluster; expected auto, ray://HOST:10001 or "
            "HOST:6379"
        )


@pytest.mark.usefixtures("unconnected")
def test_what_ray_says_of_versions_and_of_no_cluster_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raising(error: Exception) -> None:
        def init(**options: Any) -> None:
            raise error

        monkeypatch.setattr(ray, "init", init)

    raising(RuntimeError("Version mismatch: The cluster was started with:\n  Ray: 2.9.0"))
    assert refused("auto") == (
        "--address auto: Version mismatch: The cluster was started with: Ray: 2.9.0; expected the "
        "cluster's versions of Ray and Python here: install them"
    )
    raising(ConnectionError("Could not find any running Ray instance."))
    assert refused("auto") == (
        "--address auto: no Ray cluster runs on this machine; expected one (ray start), or no "
        "--address to start one for the run"
    )
    raising(OSError("no space"))
    assert refused(None) == (
        "Ray cannot start on this machine (no space); use --engine local, or give the --address of "
        "a cluster"
    )


def test_options_out_of_range_or_without_effect_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert refused(None, unit_time=0) == "--unit-time 0 is out of range; expected more than 0"
    assert refused(None, worker_gpus=2.0) == (
        "--worker-gpus 2 is out of range; expected more than 0, at most 1 (a worker computes on "
        "one GPU)"
    )
    for options, shown in (
        ({"address": "auto"}, "--address auto"),
        ({"unit_time": 60.0}, "--unit-time 60"),
    ):
        with pytest.raises(InputError) as caught:
            lpa.train_sweep(**options)
        assert str(caught.value) == (
            f"{shown} has no effect in this process; leave it out, or give --engine ray"
        )
    monkeypatch.setitem(sys.modules, "ray", None)
    assert refused(None) == "--engine ray needs Ray: pip install 'lpa[ray]'"


def test_devices_are_kinds_and_not_single_ones(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OnRay()
    assert engine.device("cpu") == "cpu"
    assert engine.device("cuda") == "cuda"
    with pytest.raises(InputError) as caught:
        engine.device("cuda:1")
    assert str(caught.value) == (
        "--device cuda:1 is a device of one machine; with --engine ray expected auto, cpu or cuda"
    )
    monkeypatch.setattr("lpa.engines.on_ray.nodes", lambda: [Node("id", "name", 64, 0)])
    with pytest.raises(InputError) as caught:
        engine.device("cuda")
    assert str(caught.value) == (
        "--device cuda: no machine of the Ray cluster has a GPU; expected auto or cpu"
    )


@pytest.mark.parametrize(
    ("cpus", "gpus", "device", "megabytes", "asked", "expected"),
    [
        # Small models: one processor each, four on a GPU.
        (64, 0, "cpu", 1, (None, None), Share(64, 1, 0)),
        (64, 8, "cuda", 1, (None, None), Share(32, 2, 0.25)),
        # Large models: four processors each, a whole GPU with at most eight processors.
        (64, 0, "cpu", 100, (None, None), Share(16, 4, 0)),
        (2, 0, "cpu", 100, (None, None), Share(1, 2, 0)),
        (64, 4, "cuda", 100, (None, None), Share(4, 8, 1)),
        (4, 8, "cuda", 100, (None, None), Share(8, 0.5, 1)),
        # As the user says; a machine without GPUs takes no work for them.
        (64, 0, "cpu", 1, (16, None), Share(4, 16, 0)),
        (64, 2, "cuda", 100, (4, 0.5), Share(4, 4, 0.5)),
        (6, 2, "cuda", 1, (2, 0.25), Share(3, 2, 0.25)),
        (64, 0, "cuda", 1, (None, None), Share(0, 0, 0.25)),
    ],
)
def test_a_machine_is_divided_by_the_size_of_the_models(
    cpus: float, gpus: float, device: str, megabytes: int, asked: Any, expected: Share
) -> None:
    node = Node("id", "name", cpus, gpus)
    assert share_of(node, device, megabytes * 10**6, *asked) == expected
