"""The course directory: made, released, and filled with what students hand in."""

import os
import re
import shutil
import socket
import stat
import zipfile

import nbformat
import pytest
from small_course import LAB, master, repository

from encoder_course.grade import downloads
from encoder_course.grade.collect import collect, collect_from_exchange, student_id
from encoder_course.grade.course import Course, Refused, init
from encoder_course.grade.gradebook import open_gradebook
from encoder_course.grade.release import release, release_repository


@pytest.fixture(scope="module")
def with_gradebook(tmp_path_factory):
    """A course whose gradebook is there; nbgrader takes seconds to make one."""
    folder = tmp_path_factory.mktemp("once")
    made, _ = init(folder / "course", repository=repository(folder))
    with open_gradebook(made):
        return made


@pytest.fixture
def course(with_gradebook, tmp_path):
    return Course.find(shutil.copytree(with_gradebook.root, tmp_path / "course"))


def hidden_seeds(path):
    return re.findall(r"hidden=(\d+)", path.read_text())


# The course directory.


def test_a_course_is_made_for_its_owner_alone_with_seeds_of_its_own(tmp_path):
    source = repository(tmp_path)
    course, added = init(tmp_path / "course", repository=source)
    other, _ = init(tmp_path / "other", repository=source)
    assert added == course.labs() == [LAB]
    assert stat.S_IMODE(course.root.stat().st_mode) == 0o700
    seeds = hidden_seeds(course.source(LAB))
    assert len(seeds) == 2 and "417" not in seeds
    assert seeds != hidden_seeds(other.source(LAB))
    assert course.database == f"sqlite:///{course.root}/gradebook.db"


def test_init_again_adds_new_labs_and_keeps_the_seeds_of_the_others(tmp_path):
    source = repository(tmp_path)
    course, _ = init(tmp_path / "course", repository=source)
    seeds = hidden_seeds(course.source(LAB))
    (source / "solutions" / "lab91").mkdir()
    nbformat.write(master(), source / "solutions" / "lab91" / "lab91.ipynb")
    _, added = init(course.root, repository=source)
    assert added == ["lab91"] and hidden_seeds(course.source(LAB)) == seeds
    assert init(course.root, repository=source)[1] == []


def test_a_course_is_refused_where_it_does_not_belong(tmp_path):
    source = repository(tmp_path)
    with pytest.raises(Refused, match="lies in the repository"):
        init(source / "course", repository=source)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    with pytest.raises(Refused, match="is no course directory"):
        init(tmp_path / "thesis", repository=source)
    with pytest.raises(Refused, match="grade init"):
        Course.find(tmp_path / "thesis")


def test_the_gradebook_is_where_one_setting_says(tmp_path, monkeypatch):
    url = "postgresql+psycopg://teacher@host/course"
    course, _ = init(tmp_path / "course", url, repository=repository(tmp_path))
    assert course.database == url
    monkeypatch.setenv("ENCODER_COURSE_GRADEBOOK", "sqlite:///elsewhere.db")
    assert Course.find(course.root).database == "sqlite:///elsewhere.db"


@pytest.mark.parametrize("name", ["lab1", "..", "../..", "*", "", f"{LAB}/../{LAB}", "a b", "a+b"])
def test_a_lab_that_is_none_is_refused_by_name(course, name):
    with pytest.raises(Refused, match=f"it has {LAB}"):
        course.source(name)


def test_a_gradebook_that_cannot_be_reached_is_named_without_its_password(course):
    url = "postgresql+psycopg://teacher:secret@127.0.0.1:1/course"
    course.settings.CourseDirectory.db_url = url
    with pytest.raises(Refused, match=r"teacher:\*\*\*@127") as refusal, open_gradebook(course):
        pass
    assert "secret" not in str(refusal.value)


# Release.


def test_a_release_keeps_nothing_back_but_solutions_and_hidden_tests(course):
    folder = release(course, LAB)
    text = (folder / f"{LAB}.ipynb").read_text()
    assert "raise NotImplementedError" in text and "YOUR ANSWER HERE" in text
    assert "check.lab03.split_heads.require(split_heads)" in text
    for secret in (
        "transpose(",
        "strides",
        "hidden",
        "SOLUTION",
        *hidden_seeds(course.source(LAB)),
    ):
        assert secret not in text
    nbformat.validate(nbformat.reads(text, as_version=4))


def test_a_release_enters_the_lab_in_the_gradebook_and_may_be_repeated(course):
    release(course, LAB)
    release(course, LAB)
    with open_gradebook(course) as book:
        cells = {cell.name: cell.max_score for cell in book.find_notebook(LAB, LAB).grade_cells}
    assert cells == {"split_heads_test": 3, "merge_heads_test": 3, "explain_copy": 4}


def test_the_repository_gets_its_labs_byte_for_byte_and_no_gradebook(tmp_path):
    source = repository(tmp_path)
    (folder,) = release_repository([], source)
    first = (folder / f"{LAB}.ipynb").read_bytes()
    release_repository([LAB], source)
    assert (folder / f"{LAB}.ipynb").read_bytes() == first and first.endswith(b"}\n")
    assert [path.name for path in source.iterdir() if path.name not in ("solutions", "labs")] == []
    with pytest.raises(Refused, match="no lab 'lab17'"):
        release_repository(["lab17"], source)


def test_a_master_that_is_no_assignment_is_refused_and_the_old_release_stays(course):
    folder = release(course, LAB)
    notebook = nbformat.read(course.source(LAB), as_version=4)
    notebook.cells[3].source = notebook.cells[3].source.replace("### END SOLUTION", "")
    nbformat.write(notebook, course.source(LAB))
    with pytest.raises(Refused, match="no END SOLUTION"):
        release(course, LAB)
    assert (folder / f"{LAB}.ipynb").exists()


# Collect.


def lay_out(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"{name}"')
    return folder


@pytest.mark.parametrize(
    "layout",
    [
        ("ada/lab90.ipynb", "bob/my answer.ipynb"),
        ("ada_lab90.ipynb", "bob_final_version.ipynb"),
        ("downloads/ada/lab90.ipynb", "downloads/bob/lab90.ipynb"),
        ("ada/lab90.ipynb", "ada/lab89.ipynb", "bob/sub/folder/x.ipynb"),
        ("ada/lab90.ipynb", "bob/lab90 (1).ipynb", "bob/.ipynb_checkpoints/lab90.ipynb"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_students_are_found_in_the_usual_layouts(course, tmp_path, layout, zipped):
    source = lay_out(tmp_path / "downloads", *layout)
    if zipped:
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for name in layout:
                archive.write(source / name, name)
        source = tmp_path / "all.zip"
    assert collect(course, LAB, source).taken == {"ada": "new", "bob": "new"}
    assert course.students(LAB) == ["ada", "bob"]
    assert layout[0] in course.submission("ada", LAB).read_text()


def test_a_pattern_finds_students_in_any_layout(course, tmp_path):
    source = lay_out(
        tmp_path / "in", "x/2026-ada-final.ipynb", "x/2026-bob-final.ipynb", "x/y.ipynb"
    )
    report = collect(course, LAB, source, r"2026-(?P<student>\w+)-")
    assert sorted(report.taken) == ["ada", "bob"]
    assert "whose" in report.left["x/y.ipynb"]
    for pattern in ("(", "ada"):
        with pytest.raises(Refused, match="regular expression|no group"):
            collect(course, LAB, source, pattern)


def test_moodle_s_folders_keep_two_people_of_one_name_apart(course, tmp_path):
    names = [f"Ana Silva_{n}_assignsubmission_file_/lab90.ipynb" for n in (17, 18)]
    report = collect(course, LAB, lay_out(tmp_path / "in", *names))
    assert sorted(report.taken) == ["Ana-Silva_17", "Ana-Silva_18"]


def test_collecting_again_says_what_changed(course, tmp_path):
    source = lay_out(tmp_path / "in", "ada/lab90.ipynb", "bob/lab90.ipynb")
    collect(course, LAB, source)
    (source / "bob" / "lab90.ipynb").write_text("changed")
    lay_out(source, "eve/lab90.ipynb")
    taken = collect(course, LAB, source).taken
    assert taken == {"ada": "unchanged", "bob": "replaced", "eve": "new"}
    assert course.submission("bob", LAB).read_text() == "changed"


def test_what_cannot_be_told_apart_is_left(course, tmp_path):
    names = [
        "ada/a.ipynb",
        "ada/b.ipynb",
        "b b/lab90.ipynb",
        "b-b/lab90.ipynb",
        "///.ipynb",
        "x.ipynb",
    ]
    report = collect(course, LAB, lay_out(tmp_path / "in", *names, "notes.txt"))
    assert report.taken == {}
    assert "has 2 notebooks" in report.left["ada/a.ipynb"]
    assert "would be one student" in report.left["b-b/lab90.ipynb"]
    assert "whose" in report.left["x.ipynb"] and "no notebook" in report.left["notes.txt"]


def test_links_and_devices_in_a_folder_are_left(course, tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_text("secret")
    source = lay_out(tmp_path / "in", "ada/lab90.ipynb")
    for student in ("link", "pipe", "door", "folder"):
        (source / student).mkdir()
    (source / "link" / "lab90.ipynb").symlink_to(secret)
    os.mkfifo(source / "pipe" / "lab90.ipynb")
    (source / "elsewhere").symlink_to(tmp_path)
    here = os.getcwd()
    os.chdir(source / "door")  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("lab90.ipynb")
    os.chdir(here)
    report = collect(course, LAB, source)
    assert report.taken == {"ada": "new"}
    assert "a link" in report.left["link/lab90.ipynb"] + report.left["elsewhere"]
    assert "no ordinary file" in report.left["pipe/lab90.ipynb"]
    assert "cannot be read" in report.left["door/lab90.ipynb"]
    assert "secret" not in "".join(p.read_text() for p in course.root.rglob("submitted/**/*.ipynb"))


def test_a_hostile_archive_writes_nothing_outside_and_says_why(course, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada/lab90.ipynb", "fine")
        archive.writestr("../../evil/lab90.ipynb", "out")
        archive.writestr("/etc/lab90.ipynb", "out")
        archive.writestr("C:\\evil\\lab90.ipynb", "out")
        archive.writestr("bomb/lab90.ipynb", b"0" * 10_000_000)
        link = zipfile.ZipInfo("link/lab90.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("broken/lab90.ipynb", "whole")
    data = (tmp_path / "all.zip").read_bytes()
    at = data.index(b"broken/lab90.ipynb") + len("broken/lab90.ipynb")
    (tmp_path / "all.zip").write_bytes(data[:at] + b"\xff\xff" + data[at + 2 :])
    report = collect(course, LAB, tmp_path / "all.zip")
    assert report.taken == {"ada": "new"}
    reasons = "\n".join(report.left.values())
    for words in ("leads out", "larger than", "link or a device", "damaged"):
        assert words in reasons
    assert course.students(LAB) == ["ada"]
    assert not list(tmp_path.rglob("evil"))


def test_a_source_that_is_none_is_refused(course, tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "empty").mkdir()
    for name, words in [("text.zip", "neither"), ("empty", "no notebook"), ("none", "there is no")]:
        with pytest.raises(Refused, match=words):
            collect(course, LAB, tmp_path / name)


def test_an_archive_of_too_many_files_is_refused(course, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "MOST_FILES", 2)
    source = lay_out(tmp_path / "in", "a/x.ipynb", "b/x.ipynb", "c/x.ipynb")
    with pytest.raises(Refused, match="more than 2 files"):
        collect(course, LAB, source)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ada", "ada"),
        ("  Ana  Luísa ", "Ana-Luísa"),
        ("अनु", "अनु"),
        ("../../etc", "etc"),
        ("-rf *", "rf-"),
        ("=1+1", "11"),
        ("a\x00b\x1b[31m", "ab31m"),
        ("...", ""),
        ("x" * 500, "x" * 64),
        ("s123@uni.example", "s123@uni.example"),
    ],
)
def test_a_student_s_id_is_safe_in_paths_and_addresses(name, expected):
    assert student_id(name) == expected


def test_without_an_exchange_collect_asks_for_a_source(course, tmp_path):
    course.settings.Exchange.root = str(tmp_path / "nowhere" / "exchange")
    with pytest.raises(Refused, match="name a folder or a .zip"):
        collect_from_exchange(course, LAB)


def test_nbgrader_s_exchange_is_collected_from_and_links_in_it_are_refused(course, tmp_path):
    exchange = tmp_path / "exchange"
    inbound = exchange / course.name / "inbound"
    when = "2026-11-23 10:00:00.000000 UTC"
    lay_out(inbound / f"ada+{LAB}+{when}", f"{LAB}.ipynb")
    (inbound / f"ada+{LAB}+{when}" / "timestamp.txt").write_text(when)
    exchange.chmod(0o777)
    course.settings.Exchange.root = str(exchange)
    assert collect_from_exchange(course, LAB).taken == {"ada": "new"}
    assert collect_from_exchange(course, LAB).taken == {"ada": "unchanged"}
    link = inbound / f"bob+{LAB}+{when}" / f"{LAB}.ipynb"
    link.parent.mkdir()
    link.symlink_to(course.source(LAB))
    with pytest.raises(Refused, match="is a link"):
        collect_from_exchange(course, LAB)
