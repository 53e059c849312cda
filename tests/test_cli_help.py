"""Every command's help: its examples can be typed, and nothing in the lists is cut off."""

from __future__ import annotations

import shlex
from importlib.metadata import entry_points

import click
import pytest
from click.testing import CliRunner

(ENTRY,) = entry_points(group="console_scripts", name="lpa")
MAIN: click.Group = ENTRY.load()
NAMES = MAIN.list_commands(click.Context(MAIN))


def helped(*words: str) -> str:
    result = CliRunner().invoke(MAIN, [*words, "--help"], terminal_width=80)
    assert result.exit_code == 0, result.output
    return result.stdout


def example_lines(name: str) -> list[str]:
    _, found, below = helped(name).partition("\n  Examples:\n")
    assert found, f"{name} has no examples"
    return [line.strip() for line in below.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_command_are_understood_by_it(name: str) -> None:
    command = MAIN.get_command(click.Context(MAIN), name)
    assert command is not None
    for line in example_lines(name):
        program, called, *words = shlex.split(line.partition(" > ")[0])
        assert (program, called) == ("lpa", name)
        # Raises for an option that there is not, for a missing one and for a wrong choice.
        command.make_context(name, words)


def test_each_command_is_said_in_a_line_of_its_own() -> None:
    lines = helped().partition("Commands:\n")[2].splitlines()
    cut = {line.split()[0] for line in lines if line.rstrip().endswith("...")}
    assert cut == set()
