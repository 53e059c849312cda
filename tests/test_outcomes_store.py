from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from lpa.errors import InputError
from lpa.outcomes import Store, read_record


def test_what_was_put_is_got_listed_and_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path / "run")
    store.put("units/b.bin", b"two")
    store.put("units/a.bin", b"one")
    assert store.list("units") == ["units/a.bin", "units/b.bin"]
    assert store.get("units/b.bin") == b"two"
    assert store.exists("units/a.bin") and not store.exists("units/c.bin")
    store.delete("units/a.bin")
    store.delete("units/a.bin")
    assert store.list("units") == ["units/b.bin"]
    assert store.list("plans") == []


@pytest.mark.parametrize("name", ["../outside", "units/../../outside", "/etc/outside", ""])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path / "run")
    with pytest.raises(ValueError, match="not an object's name"):
        store.put(name, b"")
    assert not (tmp_path / "outside").exists()


def test_a_reader_sees_the_old_object_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.put("units/a.bin", b"old")
    seen = []
    real = os.fsync

    def while_writing(handle: int) -> None:
        seen.append((store.get("units/a.bin"), store.list("units")))
        real(handle)

    monkeypatch.setattr(os, "fsync", while_writing)
    store.put("units/a.bin", b"new")
    assert seen == [(b"old", ["units/a.bin"])]
    assert store.get("units/a.bin") == b"new"


def test_a_write_that_breaks_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError) as caught:
        Store(tmp_path).put("units/a.bin", b"data")
    assert str(caught.value) == (
        f"no space left on the disk of {tmp_path}: what was finished is kept; "
        "free some space and run the same command again"
    )
    assert list((tmp_path / "units").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        Store(tmp_path / "file").put("run.json", b"")
    assert str(caught.value) == (
        f"cannot write to {tmp_path / 'file'} (file exists): expected a writable directory; "
        "give another with --out DIR"
    )


def test_objects_have_the_permissions_of_other_new_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    Store(tmp_path).put("object", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "object")]
    assert modes[0] == modes[1]


def test_temporary_files_of_a_killed_writer_are_not_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("units/a.bin", b"one")
    (tmp_path / "units" / ".put-killed").write_bytes(b"half")
    assert store.list("units") == ["units/a.bin"]


def test_links_to_themselves_and_pipes_are_no_objects(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put("units/a", b"a")
    (tmp_path / "units" / "self").symlink_to(tmp_path / "units" / "self")
    os.mkfifo(tmp_path / "units" / "pipe")
    assert store.list("units") == ["units/a"]
    assert not store.exists("units/self") and not store.exists("x" * 5000)


def test_a_name_that_no_folder_can_have_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_record(Store(tmp_path / ("x" * 5000)))
    assert str(caught.value).endswith(
        " cannot be read (File name too long); expected the folder of a run"
    )
