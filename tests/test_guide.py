"""The instructor's guide names commands, files and statuses that exist."""

import re
import shlex
from pathlib import Path

import pytest

from encoder_course.grade.command import parser
from encoder_course.grade.results import STATUSES

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "instructors_guide.md").read_text(encoding="utf-8")
GRADE = "python -m encoder_course grade "
COMMANDS = sorted(
    {
        line.strip().removeprefix("$ ")
        for block in re.findall(r"^```.*?\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
        if line.strip().removeprefix("$ ").startswith(GRADE)
    }
)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_one_that_the_grader_takes(command):
    words = shlex.split(command.removeprefix(GRADE), comments=True)
    assert parser().parse_args(words).run


def test_every_step_is_there():
    named = {command.removeprefix(GRADE).split()[0] for command in COMMANDS}
    assert {"doctor", "init", "release", "collect", "run", "feedback", "export"} <= named


def test_every_status_is_explained():
    assert [status for status in STATUSES if status not in GUIDE] == []


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", GUIDE):
        assert (ROOT / "docs" / target).resolve().exists(), target
