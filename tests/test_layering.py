"""Imports point one way; heavy libraries are imported only where they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEVELS = [
    {"errors", "json_text", "user_paths"},
    {"axes", "views", "classes", "class_files", "csv_cells", "cache_files"},
    {"plans"},
    {"outcomes"},
    {"augmentations", "models", "datasets", "engines", "statistics", "figures"},
    {"streams"},
    {"forward", "examples", "exports"},
    {"measurement", "training", "probing", "report", "importing"},
    {"runs"},
    {"experiments"},
]
"""Rooms of the library from the ground up; members of a level never import each other, except
where PERMITTED says so."""
PERMITTED = {("axes", "classes")}
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
BELOW_THE_WAIST = {"outcomes", "statistics", "figures", "report", "runs"}


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "lpa" and len(parts) > 1 else None


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            if node.module == "lpa":
                found |= {f"lpa.{alias.name}" for alias in node.names}
    return found


def sources() -> list[tuple[str, Path]]:
    found = []
    for path in sorted((ROOT / "lpa").rglob("*.py")):
        room = path.relative_to(ROOT / "lpa").parts[0].removesuffix(".py")
        if room != "__init__":
            found.append((room, path))
    return found


def family(room: str) -> str:
    """A module like report_curves belongs to the room report."""
    if room in LEVEL_OF:
        return room
    head = room.split("_")[0]
    assert head in LEVEL_OF, f"lpa/{room}.py stands in no level of this test"
    return head


def test_every_import_within_the_library_points_downwards() -> None:
    wrong = []
    for name, path in sources():
        room = family(name)
        for module in imports_of(path):
            target = room_of(module)
            if target is None or family(target) == room:
                continue
            other = family(target)
            if LEVEL_OF[other] >= LEVEL_OF[room] and (other, room) not in PERMITTED:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert wrong == []


def test_the_library_never_imports_the_command_line() -> None:
    wrong = [
        str(path)
        for _, path in sources()
        for module in imports_of(path)
        if module.split(".")[0] == "lpa_cli"
    ]
    assert wrong == []


def test_the_command_line_imports_only_lpa_itself() -> None:
    wrong = [
        f"{path.name} imports {module}"
        for path in sorted((ROOT / "cli").glob("*.py"))
        for module in imports_of(path)
        if module.startswith("lpa.") and module.split(".")[1] != module.split(".")[-1]
    ]
    assert wrong == []


def test_what_reads_outcomes_does_not_name_torch() -> None:
    heavy = {"torch", "torchvision", "timm", "kornia"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for name, path in sources()
        if family(name) in BELOW_THE_WAIST
        for module in imports_of(path)
        if module.split(".")[0] in heavy
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "command",
    ["", "scan", "train-sweep", "probe", "show", "curves", "rank", "compare", "test", "policy",
     "gate", "report", "view", "figure", "export", "import", "models"],
)  # fmt: skip
def test_help_imports_nothing_heavy(command: str) -> None:
    script = (
        "import sys\n"
        "from importlib.metadata import entry_points\n"
        "main = entry_points(group='console_scripts')['lpa'].load()\n"
        f"sys.argv = ['lpa', *{command.split()!r}, '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'timm', 'pandas', 'plotly', 'torchvision', 'kornia', 'scipy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: lpa" in done.stdout
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_reading_a_run_imports_no_torch() -> None:
    script = (
        "import sys\nimport lpa\n"
        "import lpa.report\nlpa.open, lpa.overview, lpa.Run, lpa.list_augmentations()\n"
        "print(sorted({'torch', 'timm', 'kornia', 'torchvision'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
