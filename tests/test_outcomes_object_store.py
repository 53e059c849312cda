"""The store's interface is one, wherever the objects are."""

from __future__ import annotations

import errno
import os
import pickle
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from object_stores import Server, serving
from test_outcomes_record import RECORD, SAMPLES

from lpa.errors import InputError
from lpa.outcomes import FolderStore, Store, create_or_check, object_store, read_record
from lpa.outcomes.object_store import ObjectStore

KINDS = ("folder", "file", "memory", "s3")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as started:
        yield started


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "FIRST_PATIENCE", 1.0)
    monkeypatch.setattr(object_store, "PATIENCE", 1.0)


def place(kind: str, folder: Path) -> str:
    name = f"run-{uuid.uuid4().hex}"
    return {
        "folder": str(folder / name),
        "file": f"file://{folder / name}",
        "memory": f"memory://{name}",
        "s3": f"s3://bucket/deep/{name}",
    }[kind]


@pytest.fixture(params=KINDS)
def location(request: pytest.FixtureRequest, tmp_path: Path, server: Server) -> str:
    return place(request.param, tmp_path)


# ---- what every store does -----------------------------------------------------------------------


def test_what_was_put_is_got_listed_and_deleted(location: str) -> None:
    store = Store(location)
    assert (store.list("units"), list(store.entries()), store.exists("a")) == ([], [], False)
    store.put("units/b.bin", b"two")
    store.put("units/a.bin", b"one")
    store.put("units/deeper/c.bin", b"three")
    store.put("run.json", b"{}")
    assert store.list("units") == ["units/a.bin", "units/b.bin"]
    assert list(store.entries()) == ["run.json", "units"]
    assert store.get("units/b.bin") == b"two"
    assert store.exists("units/a.bin") and not store.exists("units/c.bin")
    assert not store.exists("units")
    store.put("units/b.bin", b"new")
    assert store.get("units/b.bin") == b"new"
    store.delete("units/a.bin")
    store.delete("units/a.bin")
    assert store.list("units") == ["units/b.bin"]
    for read in (store.get, store.buffer):
        with pytest.raises(FileNotFoundError):
            read("units/a.bin")


def test_another_writer_is_seen_at_once(location: str) -> None:
    ours, theirs = Store(location), Store(location)
    assert ours.list("units") == []
    theirs.put("units/a.bin", b"one")
    assert ours.list("units") == ["units/a.bin"]
    theirs.delete("units/a.bin")
    assert ours.list("units") == [] and not ours.exists("units/a.bin")


def test_of_many_writers_of_a_new_object_one_succeeds(location: str) -> None:
    stores = [Store(location) for _ in range(8)]
    together = threading.Barrier(8)

    def write(number: int) -> bool:
        together.wait()
        return stores[number].put_new("run.json", f"{number}".encode())

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))
    if location.startswith("memory://"):  # Its own check and write are two steps.
        assert any(written)
    else:
        assert written.count(True) == 1
        assert stores[0].get("run.json") == f"{written.index(True)}".encode()
    assert not Store(location).put_new("run.json", b"late")


def test_an_empty_object_is_an_object(location: str) -> None:
    store = Store(location)
    store.put("empty", b"")
    assert (store.get("empty"), store.exists("empty")) == (b"", True)


@pytest.mark.parametrize("whole", [10, 2**20])
def test_parts_of_an_object_are_those_of_its_bytes(
    location: str, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    monkeypatch.setattr(object_store, "WHOLE", whole)
    store, data = Store(location), os.urandom(5000)
    store.put("object", data)
    with store.buffer("object") as file:
        assert file.size() == 5000
        file.seek(4990)
        assert file.read(100) == data[4990:]
        file.seek(17)
        assert file.read(20) == data[17:37]
        assert file.read() == data[37:]


@pytest.mark.parametrize("small", [10, 2**20])
def test_the_end_of_an_object_is_that_of_its_bytes(
    location: str, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(object_store, "SMALL", small)
    store, data = Store(location), os.urandom(5000)
    store.put("object", data)
    for size in (1, 8, 10, 11, 4999, 5000, 5001, 10_000):
        assert store.tail("object", size) == data[-size:]
    with pytest.raises(FileNotFoundError):
        store.tail("nothing", 8)


def test_a_store_is_pickled_as_its_location(location: str) -> None:
    Store(location).put("object", b"here")
    copy = pickle.loads(pickle.dumps(Store(location)))
    assert copy.get("object") == b"here"
    assert str(copy) == str(Store(location))


def test_a_name_that_leaves_the_folder_is_refused(location: str) -> None:
    for name in ("../outside", "units/../../outside", "/etc/outside", ""):
        with pytest.raises(ValueError, match="not an object's name"):
            Store(location).put(name, b"")


def test_the_location_chooses_the_store_and_names_the_run() -> None:
    assert isinstance(Store("runs/one"), FolderStore)
    assert isinstance(Store(Path("runs/one")), FolderStore)
    assert (str(Store("file:///data/one")), Store("file:///data/one").name) == ("/data/one", "one")
    store = Store("memory://a/one/")
    assert isinstance(store, ObjectStore)
    assert (store.location, store.name) == ("memory://a/one", "one")


# ---- a run is begun once -------------------------------------------------------------------------


def test_equal_commands_that_begin_a_run_at_once_are_harmless(location: str) -> None:
    together = threading.Barrier(6)

    def begin(number: int) -> Any:
        together.wait()
        return create_or_check(Store(location), RECORD, SAMPLES)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(begin, range(6))) == [RECORD] * 6
    assert read_record(Store(location)) == RECORD


def at_the_last_moment(
    monkeypatch: pytest.MonkeyPatch, store: Store, meanwhile: Callable[[], Any]
) -> None:
    """Let something happen after a command has looked and before it writes the record."""
    kind, pending = type(store), [meanwhile]
    real = kind.put_new

    def put_new(self: Store, name: str, data: bytes) -> bool:
        if pending:
            pending.pop()()
        return real(self, name, data)

    monkeypatch.setattr(kind, "put_new", put_new)


def test_a_run_of_another_seed_that_was_begun_meanwhile_is_refused(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(location)
    theirs = replace(RECORD, seed=3)
    at_the_last_moment(monkeypatch, store, lambda: create_or_check(store, theirs, SAMPLES))
    with pytest.raises(InputError) as caught:
        create_or_check(store, RECORD, SAMPLES)
    assert str(caught.value) == (
        f"{store} is a run with seed 3, and 0 was asked for; models, augmentations, values and "
        "draws extend a run, this does not: give another directory with --out DIR"
    )
    assert read_record(store) == theirs


def test_a_run_of_other_shards_that_was_begun_meanwhile_is_refused(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(location)
    theirs = replace(RECORD, shard_size=256)
    at_the_last_moment(monkeypatch, store, lambda: create_or_check(store, theirs, SAMPLES))
    with pytest.raises(InputError) as caught:
        create_or_check(store, RECORD, SAMPLES)
    assert str(caught.value) == (
        f"another run was begun in {store} in the meantime; expected one with the same classes "
        "and shards: run the same command again"
    )
    # Which then goes on with the run's own.
    assert create_or_check(store, RECORD, SAMPLES) == theirs


def test_samples_of_other_data_never_stand_beside_a_record(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, others = Store(location), SAMPLES.take(range(2))
    theirs = replace(RECORD, fingerprint=others.fingerprint)
    at_the_last_moment(monkeypatch, store, lambda: create_or_check(store, theirs, others))
    with pytest.raises(InputError, match="is a run of other data: compared with its 2 files: "):
        create_or_check(store, RECORD, SAMPLES)
    assert store.get("samples.parquet") == others.to_parquet_bytes()


def test_a_kill_between_record_and_samples_is_mended_by_the_same_command(location: str) -> None:
    store = Store(location)
    create_or_check(store, RECORD, SAMPLES)
    store.delete("samples.parquet")
    assert create_or_check(store, RECORD, SAMPLES) == RECORD
    assert store.get("samples.parquet") == SAMPLES.to_parquet_bytes()
    store.delete("samples.parquet")
    with pytest.raises(InputError, match="is a run of other data: its files are not listed yet;"):
        create_or_check(store, replace(RECORD, fingerprint="0" * 32), SAMPLES)


def test_other_objects_at_the_address_are_refused(location: str) -> None:
    store = Store(location)
    store.put("thesis/chapter.tex", b"")
    with pytest.raises(InputError) as caught:
        create_or_check(store, RECORD, SAMPLES)
    assert str(caught.value) == (
        f"{store} holds other files (thesis) and no run; expected an empty or new directory, or a "
        "run: give another with --out DIR"
    )


# ---- a folder without links ----------------------------------------------------------------------


def test_a_folder_without_links_refuses_a_name_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    store = Store(tmp_path)
    assert [store.put_new("run.json", data) for data in (b"one", b"two")] == [True, False]
    assert store.get("run.json") == b"one"
    assert list(store.entries()) == ["run.json"]


# ---- what goes wrong -----------------------------------------------------------------------------


class Failing:
    """A file system of which the next requests fail."""

    def __init__(self, inner: Any, *errors: Exception) -> None:
        self.inner, self.errors, self.asked = inner, list(errors), 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)

        def request(*arguments: Any, **options: Any) -> Any:
            self.asked += 1
            if self.errors:
                raise self.errors.pop(0)
            return real(*arguments, **options)

        return request


def failing(location: str, *errors: Exception) -> tuple[Store, Failing]:
    store = Store(location)
    assert isinstance(store, ObjectStore)
    store._files = Failing(store._files, *errors)
    return store, store._files


PASSING = [
    ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    TimeoutError(),
    OSError(errno.EBUSY, "Please reduce your request rate."),
    OSError(errno.EIO, "We encountered an internal error. Please try again."),
]


def test_what_passes_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(object_store, "PATIENCE", 60.0)
    monkeypatch.setattr(object_store, "FIRST_PATIENCE", 60.0)
    monkeypatch.setattr(object_store.time, "sleep", lambda seconds: None)
    store, files = failing(place("memory", tmp_path), *PASSING)
    store.put("object", b"data")
    assert files.asked == 5
    assert capsys.readouterr().err == ""  # It had not answered yet: the address may be wrong.
    files.errors = list(PASSING)
    assert store.exists("object")
    assert capsys.readouterr().err == (
        f"{store} does not answer ([Errno 104] Connection reset by peer); asking again for up to "
        "60 seconds\n"
    )
    files.errors = list(PASSING)
    assert store.get("object") == b"data"


def test_the_time_for_which_a_store_is_asked_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(object_store.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        object_store.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds)
    )
    monkeypatch.setattr(object_store, "PATIENCE", 100.0)
    store, _ = failing(place("memory", tmp_path), *[TimeoutError("slow")] * 99)
    for answered, last in ((False, 0.5), (True, 90.5)):
        clock[0] = 0.0
        store._answered = answered  # type: ignore[attr-defined]
        with pytest.raises(InputError) as caught:
            store.put("object", b"data")
        # Pauses of .5, 1, 2, 4, 8 and then 15 seconds.
        assert str(caught.value) == (
            f"{store} does not answer (slow), asked for {last:.0f} seconds; what was finished is "
            "kept: check the address and the network, and run the same command again"
        )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError("Access Denied"),
            "{} may not be {} (Access Denied); expected credentials that may, in the environment "
            "or in fsspec's configuration",
        ),
        (
            OSError(errno.EINVAL, "The specified argument is not valid"),
            "{} cannot be {} ([Errno 22] The specified argument is not valid); expected an address "
            "such as s3://bucket/run",
        ),
    ],
)
def test_what_would_fail_again_is_not_tried_again(
    tmp_path: Path, error: Exception, message: str
) -> None:
    requests: list[tuple[str, Callable[[Store], Any]]] = [
        ("written", lambda store: store.put("a", b"")),
        ("written", lambda store: store.put_new("a", b"")),
        ("written", lambda store: store.delete("a")),
        ("read", lambda store: store.get("a")),
        ("read", lambda store: store.exists("a")),
        ("read", lambda store: store.list("a")),
    ]
    for verb, request in requests:
        store, files = failing(place("memory", tmp_path), error)
        with pytest.raises(InputError) as caught:
            request(store)
        assert str(caught.value) == message.format(store, verb)
        assert files.asked == 1


def test_a_bucket_that_there_is_not_is_named_by_every_request(server: Server) -> None:
    store = Store("s3://elsewhere/run")
    requests: list[Callable[[], Any]] = [
        lambda: store.put("a", b"1"),
        lambda: store.put_new("a", b"1"),
        lambda: store.get("a"),
        lambda: store.exists("a"),
        lambda: store.list("units"),
        store.entries,
    ]
    for request in requests:
        with pytest.raises(InputError) as caught:
            request()
        assert str(caught.value) == (
            "s3://elsewhere/run: there is no bucket 'elsewhere'; expected one that exists: create "
            "it, or give another address"
        )


@pytest.mark.parametrize(("protocol", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_protocol_without_its_package_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch, protocol: str, package: str
) -> None:
    def lacking(*arguments: object, **options: object) -> None:
        raise ImportError("No module")

    monkeypatch.setattr(object_store.fsspec.core, "url_to_fs", lacking)
    with pytest.raises(InputError) as caught:
        Store(f"{protocol}://bucket/run")
    assert str(caught.value) == (
        f"{protocol}://bucket/run needs {package}, which is not installed: pip install '{package}'"
    )


def test_an_unknown_protocol_is_named() -> None:
    with pytest.raises(InputError) as caught:
        Store("s4://bucket/run")
    assert str(caught.value) == (
        "s4://bucket/run cannot be used (Protocol not known: s4); expected a path or an address "
        "such as s3://bucket/run"
    )


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://", "s3://: expected one address, such as s3://bucket/run"),
        ("s3:///", "s3:///: expected one address, such as s3://bucket/run"),
        ("zip://a::s3://b", "zip://a::s3://b: expected one address, such as s3://bucket/run"),
        ("simplecache::s3://bucket/run", "simplecache::s3://bucket/run: expected one address, such "
         "as s3://bucket/run"),
        ("S3://b/run", "S3://b/run cannot be used (Protocol not known: S3); expected a path or an "
         "address such as s3://bucket/run"),
        ("file://", "file:// names no folder; expected e.g. file:///data/run"),
        ("github://x", "github://x cannot be used (GithubFileSystem.__init__() missing 2 required "
         "positional arguments: 'org' and 'repo'); expected a path or an address such as "
         "s3://bucket/run"),
        ("data://x", "data://x cannot be read (not enough values to unpack (expected 2, got 1)); "
         "expected an address such as s3://bucket/run"),
    ],
)  # fmt: skip
def test_an_odd_address_is_refused_in_one_line(address: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Store(address).get("run.json")
    assert str(caught.value) == message


def test_a_store_that_cannot_be_written_says_so() -> None:
    for write in (Store.put, Store.put_new):
        with pytest.raises(InputError, match="data://x cannot be written"):
            store = Store("data://x")
            getattr(store, write.__name__)("object", b"")


def test_slashes_are_counted_once(server: Server) -> None:
    Store("s3://bucket//twice//run/").put("units/a", b"data")
    assert Store("s3://bucket/twice/run").list("units") == ["units/a"]


def test_an_address_that_went_through_a_path_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Store(Path("s3://bucket/run"))
    assert str(caught.value) == (
        "s3:/bucket/run is no path but the rest of an address; expected text: 's3://bucket/run', "
        "not a pathlib.Path of it"
    )
