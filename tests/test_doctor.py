"""The doctor: what is required decides its status, and everything missing has a command."""

import sys
from importlib.metadata import PackageNotFoundError

import pytest

from encoder_course import doctor
from encoder_course.__main__ import COMMANDS, main


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def absent(*names: str):
    def version(name: str) -> str:
        if name in names:
            raise PackageNotFoundError(name)
        return "1.2.3"

    return version


def test_a_complete_machine_passes(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "Everything that the course requires is here." in said
    assert sys.version.split()[0] in said and "torch" in said


@pytest.mark.parametrize("name", ["numpy", "tokenizers", "transformers"])
def test_a_missing_requirement_fails_and_is_named_with_its_command(monkeypatch, capsys, name):
    monkeypatch.setattr(doctor, "version", absent(name))
    assert doctor.main([]) == 1
    said = capsys.readouterr().out
    assert "MISSING" in said and name in said and doctor.INSTALL in said
    assert "Everything that the course requires" not in said


def test_a_torch_that_cannot_be_imported_fails(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert not doctor.torch_build().found


def test_an_old_python_fails(monkeypatch):
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    assert not doctor.python_version().found
    assert doctor.main([]) == 1


def test_something_optional_missing_is_reported_and_passes(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "version", absent("jupyterlab"))
    monkeypatch.setattr(doctor, "has_browser", lambda: False)
    assert doctor.main([]) == 0
    said = capsys.readouterr().out
    assert "absent  jupyterlab" in said and "absent  browser" in said


def test_a_model_that_is_refused_counts_as_missing_and_says_why(monkeypatch):
    from encoder_course.data import hub

    def refuse():
        raise ValueError("the hash differs\nand more")

    monkeypatch.setattr(hub, "find_minilm", refuse)
    finding = doctor.minilm()
    assert not finding.found and finding.detail == "the hash differs"


def test_an_empty_cache_is_not_a_corpus(monkeypatch, tmp_path):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path))
    assert not doctor.corpus().found
    (tmp_path / "python_docs-0123.jsonl.gz").touch()
    assert doctor.corpus().found


def test_a_font_with_a_box_for_every_letter_does_not_write_hindi():
    class Font:
        name, fname = "Last Resort High-Efficiency", "unread"

    class Face:
        def get_char_index(self, code):
            return code

    assert not doctor._writes_hindi(Font, get_font=lambda file: Face())
    Font.name = "Any Other"
    assert doctor._writes_hindi(Font, get_font=lambda file: Face())


def test_every_check_says_what_its_absence_means_and_what_brings_it():
    for check in doctor.CHECKS:
        finding = check()
        assert finding.name and finding.detail and finding.disables and finding.command


def test_every_command_answers_help(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        assert "usage" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["docktor"])
