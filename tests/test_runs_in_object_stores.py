"""A run at ``s3://bucket/run`` is that of a directory, through failures of the store too."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny
from click.testing import CliRunner
from lpa_cli import main
from object_stores import Server, serving
from torch import Tensor, nn

import lpa
import lpa.experiments.scan_task
import lpa.measurement
import lpa.training.loop
from lpa.outcomes import Store, object_store, stored_units
from lpa.training.checkpoint import Checkpoint

AUG = {"crop": [1, 0.5, 0.2], "cutout": [0, 0.3]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.folder(tmp_path_factory.mktemp("data") / "digits", 7)  # 70 images: two shards


def scan(data: Path, out: Any, models: Any = None, **changes: Any) -> lpa.Run:
    asked = {"aug": AUG, "progress": False, "workers": 1, "draws": 2, "device": "cpu"}
    return lpa.scan(models=models or {"a": tiny.first()}, data=data, out=out, **(asked | changes))


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> lpa.Run:
    return scan(data, tmp_path_factory.mktemp("scan") / "run")


@pytest.fixture(scope="module")
def there(data: Path, server: Server) -> lpa.Run:
    return scan(data, "s3://bucket/scans/run")


def exported(run: lpa.Run, folder: Path) -> bytes:
    return run.export(folder / "outcomes.parquet").read_bytes()


def told(*words: str) -> str:
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str) -> str:
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert result.exit_code == 1
    return result.stderr.strip()


# ---- reading -------------------------------------------------------------------------------------


def test_the_export_is_that_of_a_directory_byte_for_byte(
    there: lpa.Run, folder: lpa.Run, tmp_path: Path
) -> None:
    for suffix in ("csv", "parquet"):
        ours, theirs = (
            run.export(tmp_path / f"{number}.{suffix}").read_bytes()
            for number, run in enumerate((there, folder))
        )
        assert ours == theirs
    assert len(ours) > 5000


@pytest.mark.parametrize("command", ["show", "curves", "rank", "test"])
def test_commands_say_of_an_address_what_they_say_of_a_directory(
    there: lpa.Run, folder: lpa.Run, command: str
) -> None:
    ours, theirs = (
        told(command, run.location).replace(run.location, "RUN") for run in (there, folder)
    )
    assert ours == theirs
    assert len(ours) > 100


def test_the_report_is_that_of_a_directory(
    there: lpa.Run, folder: lpa.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [run.report(tmp_path / f"{at}.html") for at, run in enumerate((there, folder))]
    ours, theirs = (
        page.read_text().replace(run.location, "RUN")
        for page, run in zip(pages, (there, folder), strict=True)
    )
    assert ours == theirs
    assert "data:image/webp" in ours
    monkeypatch.chdir(tmp_path)
    assert told("report", there.location) == "run.html\n"
    assert (tmp_path / "run.html").read_bytes() == pages[0].read_bytes()


def test_a_run_in_a_store_has_a_location_and_no_path(there: lpa.Run, folder: lpa.Run) -> None:
    assert there.location == "s3://bucket/scans/run"
    assert folder.location == str(folder.path)
    with pytest.raises(lpa.InputError) as caught:
        _ = there.path
    assert str(caught.value) == (
        "s3://bucket/scans/run is no folder of this machine; expected run.location of it"
    )


def test_what_is_written_here_is_not_written_there(there: lpa.Run) -> None:
    for command, file in (
        (["report"], "page.html"), (["export"], "table.csv"), (["policy", "--axis", "crop"], "p"),
        (["figure", "--axis", "crop"], "f.pdf"),
    ):  # fmt: skip
        words = [command[0], there.location, *command[1:], "-o", f"s3://bucket/{file}"]
        if command[0] == "figure":
            words.insert(2, "mean_curve")
        assert refused(*words) == (
            f"Error: s3://bucket/{file} is an address, and this file is written here; expected a "
            "path: copy the file there afterwards"
        )


def test_a_place_without_a_run_and_a_wrong_bucket_are_named(server: Server) -> None:
    assert refused("show", "s3://bucket/none") == (
        "Error: s3://bucket/none is no run: there is no run.json in it; expected the folder that "
        "`lpa scan`, `train-sweep`, `probe` or `import` named at its end"
    )
    for words in (["curves", "s3://none/run"], ["scan", "--no-report", "-o", "s3://none/run"]):
        assert refused(*words).splitlines()[-1] == (
            "Error: s3://none/run: there is no bucket 'none'; expected one that exists: create it, "
            "or give another address"
        )


# ---- computing -----------------------------------------------------------------------------------


def test_the_same_command_computes_only_what_is_missing(
    data: Path, server: Server, folder: lpa.Run, tmp_path: Path
) -> None:
    part = scan(data, "s3://bucket/resumed", aug={"crop": [1, 0.5]}, shard=(1, 2))
    assert not len(part.outcomes.cells)
    before = set(part.outcomes.store.list("units"))
    whole = scan(data, "s3://bucket/resumed")
    assert exported(whole, tmp_path) == exported(folder, tmp_path)
    cells = [(unit.shard, cell.id) for unit in whole.outcomes.units for cell in unit.cells]
    assert len(cells) == len(set(cells))
    assert before < {unit.name for unit in whole.outcomes.units}
    names = [unit.name for unit in whole.outcomes.units]
    again = scan(data, "s3://bucket/resumed")
    assert [unit.name for unit in again.outcomes.units] == names


def test_commands_leave_a_copy_of_what_many_units_say(
    data: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("s3://bucket/many", str(tmp_path / "many")):
        run = scan(data, place, aug={"crop": [1, 0.5]}, draws=1, images=False)
        assert list(run.outcomes.store.entries()) == [
            "plans", "run.json", "samples.parquet", "units"
        ]  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(stored_units, "FEWEST", 2)
            scan(data, place, aug={"crop": [1, 0.5]}, draws=1, images=False)
            assert run.outcomes.store.exists(stored_units.INDEX)
            copied = lpa.open(place)
        assert exported(copied, tmp_path) == exported(run, tmp_path)


def test_a_run_that_another_command_began_at_the_same_moment_is_refused_at_the_end(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in an object store that cannot write only what is not there: both have succeeded.
    address = f"memory://{data.parent.name}"
    real = lpa.experiments.scan_task.put_plan

    def put_plan(store: Store, plan: Any) -> str:
        record = json.loads(store.get("run.json"))
        del record["digest"]
        store.put("run.json", json.dumps({**record, "seed": 7}).encode())
        return real(store, plan)

    monkeypatch.setattr(lpa.experiments.scan_task, "put_plan", put_plan)
    with pytest.raises(lpa.InputError) as caught:
        scan(data, address, aug={"crop": [1, 0.5]}, draws=1, images=False)
    assert str(caught.value) == (
        f"{address} is another run now, which another command began at the same moment; expected "
        "one run at one place: delete it, and give one of the two another --out"
    )


class Acting(nn.Module):
    """Does something at one of its passes over a batch."""

    def __init__(self, inner: nn.Module, at: int, action: Callable[[], object]) -> None:
        super().__init__()
        self.inner, self.at, self.action, self.passes = inner, at, action, 0

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > 1:
            self.passes += 1
            if self.passes == self.at:
                self.action()
        return self.inner(images)

    def __deepcopy__(self, memory: dict[int, object]) -> Acting:
        return self


def acting(action: Callable[[], object]) -> dict[str, lpa.Model]:
    return {"a": tiny.model(0, wrapped=lambda inner: Acting(inner, 7, action))}


def test_a_store_that_fails_and_comes_back_is_waited_for(
    data: Path,
    server: Server,
    folder: lpa.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Finished cells are stored after every condition.
    monkeypatch.setattr(lpa.measurement, "FLUSH_SECONDS", -1.0)
    comes_back = threading.Timer(1.5, server.start)

    def fail() -> None:
        server.stop()
        comes_back.start()

    run = scan(data, "s3://bucket/interrupted", acting(fail))
    comes_back.join()
    assert exported(run, tmp_path) == exported(folder, tmp_path)
    errors = capsys.readouterr().err
    assert errors.startswith("s3://bucket/interrupted does not answer (")
    assert errors.endswith("); asking again for up to 300 seconds\n")
    assert errors.count("\n") == 1


def test_a_store_that_stays_away_ends_the_command_and_what_was_finished_is_kept(
    data: Path,
    server: Server,
    folder: lpa.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lpa.measurement, "FLUSH_SECONDS", -1.0)
    monkeypatch.setattr(object_store, "PATIENCE", 1.0)
    address = "s3://bucket/away"
    with pytest.raises(lpa.InputError) as caught:
        scan(data, address, acting(server.stop))
    assert str(caught.value).startswith(f"{address} does not answer (")
    assert str(caught.value).endswith(
        " seconds; what was finished is kept: check the address and the network, and run the same "
        "command again"
    )
    server.start()
    kept = Store(address).list("units")
    assert 1 <= len(kept) < 14
    run = scan(data, address, acting(lambda: None))
    assert set(kept) < {unit.name for unit in run.outcomes.units}
    assert exported(run, tmp_path) == exported(folder, tmp_path)


# ---- sweeps, probes, imports ---------------------------------------------------------------------

SWEEP = {
    "regularizer": "random_crop", "values": [1, 0.3], "seeds": 2, "limit": 100, "device": "cpu",
    "recipe": {"epochs": 1}, "progress": False, "workers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def sweeps(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[lpa.Run, lpa.Run]:
    out = tmp_path_factory.mktemp("sweep") / "sweep"
    return lpa.train_sweep(out="s3://bucket/sweep", **SWEEP), lpa.train_sweep(out=out, **SWEEP)


def test_a_sweep_and_its_weights_are_those_of_a_directory(
    sweeps: tuple[lpa.Run, lpa.Run], tmp_path: Path
) -> None:
    there, here = sweeps
    assert exported(there, tmp_path) == exported(here, tmp_path)
    kept = here.outcomes.store.list("weights")
    assert len(kept) == 4
    for name in kept:
        assert there.outcomes.store.get(name) == here.outcomes.store.get(name)
    assert there.outcomes.store.list("checkpoints") == []


def test_a_stopped_training_goes_on_from_its_checkpoint_at_an_address(
    sweeps: tuple[lpa.Run, lpa.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lpa.training.loop, "CHECKPOINT_SECONDS", -1.0)
    stop, loaded = threading.Event(), []
    save, load = Checkpoint.save, Checkpoint.load

    def save_and_stop(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        stop.set()

    def load_and_tell(self: Checkpoint) -> dict[str, Any] | None:
        loaded.append(load(self))
        return loaded[-1]

    monkeypatch.setattr(Checkpoint, "save", save_and_stop)
    monkeypatch.setattr(Checkpoint, "load", load_and_tell)
    asked = SWEEP | {"recipe": {"epochs": 2}, "stack": 1}
    with pytest.raises(lpa.InputError, match="the same command goes on from there"):
        lpa.train_sweep(out="s3://bucket/stopped", stop=stop, **asked)
    assert len(Store("s3://bucket/stopped").list("checkpoints")) == 1
    assert loaded == [None]
    run = lpa.train_sweep(out="s3://bucket/stopped", **asked)
    assert [state is None for state in loaded] == [True, False, True, True, True]
    whole = lpa.train_sweep(out=tmp_path / "whole", **asked)
    assert exported(run, tmp_path) == exported(whole, tmp_path)
    assert run.outcomes.store.list("checkpoints") == []


def test_kept_models_are_scanned_from_an_address(
    sweeps: tuple[lpa.Run, lpa.Run], tmp_path: Path
) -> None:
    runs = [
        scan(
            "digits", tmp_path / f"scan{at}", f"run:{sweep.location}#random_crop=0.3", limit=50,
            class_check=False,
        )
        for at, sweep in enumerate(sweeps)
    ]  # fmt: skip
    assert list(runs[0].models) == [f"small_cnn random_crop=0.3 seed {seed}" for seed in (0, 1)]
    assert exported(runs[0], tmp_path) == exported(runs[1], tmp_path)
    with pytest.raises(lpa.InputError) as caught:
        scan("digits", tmp_path / "none", "run:s3://bucket/sweep#random_crop=0.5")
    assert str(caught.value) == (
        "run 's3://bucket/sweep' has no models at random_crop=0.5; kept are random_crop=0.3, "
        "random_crop=1"
    )


def test_damaged_weights_at_an_address_are_named(
    sweeps: tuple[lpa.Run, lpa.Run], data: Path, tmp_path: Path
) -> None:
    store = Store("s3://bucket/damaged")
    store.put("run.json", sweeps[0].outcomes.store.get("run.json"))
    name = sweeps[0].outcomes.store.list("weights")[0]
    whole = sweeps[0].outcomes.store.get(name)
    for data_there, reason in (
        (whole[:-4], "ValueError: it is cut off"),
        (whole[:100], "ValueError: its header is cut off"),
        (b"", "ValueError: its header is cut off"),
        (b"\x02\0\0\0\0\0\0\0{}", "KeyError: '__metadata__'"),
    ):
        store.put(name, data_there)
        with pytest.raises(lpa.InputError) as caught:
            lpa.probe(backbones=f"run:{store}", data=data, out=tmp_path / "probe", progress=False)
        assert str(caught.value) == (
            f"weights 's3://bucket/damaged/{name}' are damaged or were not kept by lpa train-sweep "
            f"({reason}); expected an unchanged file: copy it again, or delete it to leave this "
            "model out"
        )
        # The files are read again when there is a new name among them.
        store.delete(name)
        name = name.replace(".safetensors", "0.safetensors")


def test_a_probe_of_backbones_at_an_address_is_that_of_a_directory(
    sweeps: tuple[lpa.Run, lpa.Run], data: Path, tmp_path: Path
) -> None:
    outs = ("s3://bucket/probe", tmp_path / "probe")
    runs = [
        lpa.probe(
            backbones=sweep.location, data=data, out=out, device="cpu", progress=False, workers=1,
            cache=tmp_path / "cache",
        )
        for sweep, out in zip(sweeps, outs, strict=True)
    ]  # fmt: skip
    assert exported(runs[0], tmp_path) == exported(runs[1], tmp_path)
    assert len(runs[0].outcomes.cells) == 4
    (source,) = lpa.open("s3://bucket/probe").outcomes.record.reference["source"]["runs"]
    assert (source["name"], source["path"]) == ("sweep", "s3://bucket/sweep")


def test_an_import_at_an_address_is_that_of_a_directory(
    folder: lpa.Run, server: Server, tmp_path: Path
) -> None:
    table = folder.export(tmp_path / "table.csv")
    there, here = "s3://bucket/imported", str(tmp_path / "imported")
    for out in (there, here):
        assert f"run: {out}\n" in told("import", str(table), "--out", out, "--replicates", "draws")
    runs = [lpa.open(out) for out in (there, here)]
    assert exported(runs[0], tmp_path) == exported(runs[1], tmp_path)
    # The labels may be those of a run at an address.
    bare = tmp_path / "bare.csv"
    names = folder.outcomes.samples.name
    bare.write_text("sample,prediction\n" + "".join(f"{name},zero\n" for name in names))
    again = lpa.import_results(
        bare, tmp_path / "again", model="m", labels="s3://bucket/scans/run"
    )  # fmt: skip
    assert again.identity["accuracy"].to_list() == [pytest.approx(0.1)]
