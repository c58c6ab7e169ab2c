"""The gradebook, the feedback and the table of grades, over SQLite and over PostgreSQL."""

import base64
import csv
import glob
import os
import shutil
import socket
import subprocess
import sys
import types
from dataclasses import replace

import nbformat
import pytest
from small_course import LAB, RIGHT, WRONG, answered, hand_in, repository

from encoder_course.grade import command
from encoder_course.grade.course import Course, Refused, init
from encoder_course.grade.export import export
from encoder_course.grade.feedback import graded, write_feedback
from encoder_course.grade.gradebook import GradebookWriter, only_writer, open_gradebook
from encoder_course.grade.markup import safe_html
from encoder_course.grade.preflight import Protection
from encoder_course.grade.release import checked_master, release
from encoder_course.grade.results import Result

SERVERS = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
PAYLOAD = "<script>alert(1)</script>"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and more").decode()


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A course with its lab released; nbgrader takes seconds to make a gradebook."""
    folder = tmp_path_factory.mktemp("once")
    made, _ = init(folder / "course", repository=repository(folder))
    release(made, LAB)
    return made


@pytest.fixture
def course(released, tmp_path):
    return Course.find(shutil.copytree(released.root, tmp_path / "course"))


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """The URL of an empty database on a PostgreSQL server that lives as long as these tests."""
    if not SERVERS:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    options = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        for path in (folder, *folder.parents[:3]):
            path.chmod(path.stat().st_mode | 0o055)
        shutil.chown(folder, "nobody")
        options = {"user": "nobody"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    bin = os.path.dirname(SERVERS[-1])
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **options}
    subprocess.run(
        [f"{bin}/initdb", "-D", data, "-U", "teacher", "-A", "trust", "--no-sync", "-E", "UTF8"],
        **quiet,
    )
    listen = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [f"{bin}/pg_ctl", "-D", data, "-l", folder / "log"]
    subprocess.run([*control, "-w", "-o", listen, "start"], **quiet)
    yield f"postgresql+psycopg://teacher@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], **quiet)


def write(course, *results):
    """Enter results, and tell which of them changed anything."""
    with open_gradebook(course) as book:
        writer = GradebookWriter(course, checked_master(course.source(LAB)), book)
        return [writer.write(result) for result in results]


def grades(course, student):
    """{cell: (auto, manual, needs a human)} of a student."""
    with open_gradebook(course) as book:
        found = book.find_submission_notebook(LAB, LAB, student).grades
        return {g.name: (g.auto_score, g.manual_score, g.needs_manual_grade) for g in found}


def grade_by_hand(course, student, points, comment):
    """What formgrader does when an instructor types points and a comment."""
    with open_gradebook(course) as book:
        grade = book.find_grade("explain_copy", LAB, LAB, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        book.find_comment("explain_copy", LAB, LAB, student).manual_comment = comment
        book.db.commit()


# The gradebook.


def test_formgrader_finds_scores_and_what_waits_for_a_human(course):
    write(course, hand_in(course, "ada"), hand_in(course, "bob", WRONG))
    assert grades(course, "ada") == {
        "split_heads_test": (3, None, False),
        "merge_heads_test": (3, None, False),
        "explain_copy": (None, None, True),
    }
    assert grades(course, "bob")["split_heads_test"] == (0, None, False)
    with open_gradebook(course) as book:
        rows = {row["student"]: row for row in book.notebook_submission_dicts(LAB, LAB)}
        assert rows["ada"]["score"] == 6 and rows["ada"]["needs_manual_grade"]
        assert rows["bob"]["failed_tests"] and not rows["ada"]["failed_tests"]
        assert book.find_assignment(LAB).max_score == 10
    shown = nbformat.read(course.autograded("bob", LAB), as_version=4)
    nbformat.validate(shown)
    errors = [o for c in shown.cells if c.cell_type == "code" for o in c.outputs]
    assert [o.output_type for o in errors] == ["error", "stream"]
    assert errors[0].ename == "NotYet" and errors[0].evalue == "✗ what split_heads gives"


def test_the_same_result_twice_changes_nothing(course):
    result = hand_in(course, "ada")
    assert write(course, result, result) == [True, False]
    before = course.autograded("ada", LAB).stat().st_mtime_ns
    assert write(course, result) == [False]
    assert course.autograded("ada", LAB).stat().st_mtime_ns == before


def test_a_lost_gradebook_is_filled_again_from_the_same_results(course, released):
    result = hand_in(course, "ada")
    write(course, result)
    shutil.copy(released.root / "gradebook.db", course.root)
    assert write(course, result) == [True]
    assert grades(course, "ada")["split_heads_test"][0] == 3


def test_points_by_hand_stay_and_are_asked_for_again_only_where_the_work_changed(course):
    write(course, hand_in(course, "ada", WRONG))
    grade_by_hand(course, "ada", 2.5, "One half of it.")
    write(course, hand_in(course, "ada", RIGHT))  # other code, the same words
    assert grades(course, "ada")["explain_copy"] == (None, 2.5, False)
    assert grades(course, "ada")["split_heads_test"] == (3, None, False)
    write(course, hand_in(course, "ada", RIGHT | {"explain_copy": "Now I know better."}))
    assert grades(course, "ada")["explain_copy"] == (None, 2.5, True)
    with open_gradebook(course) as book:
        assert book.find_comment("explain_copy", LAB, LAB, "ada").comment == "One half of it."


def test_a_score_that_a_human_overruled_stays(course):
    write(course, hand_in(course, "ada", WRONG))
    with open_gradebook(course) as book:
        book.find_grade("split_heads_test", LAB, LAB, "ada").manual_score = 1
        book.db.commit()
    write(course, replace(hand_in(course, "ada", WRONG), seconds=2.0))
    assert grades(course, "ada")["split_heads_test"] == (0, 1, False)
    write(course, hand_in(course, "ada"))
    assert grades(course, "ada")["split_heads_test"] == (3, 1, True)


def test_an_answer_left_as_released_needs_nobody(course):
    given = {name: text for name, text in RIGHT.items() if name != "explain_copy"}
    write(course, hand_in(course, "ada", given))
    assert grades(course, "ada")["explain_copy"] == (0, None, False)
    with open_gradebook(course) as book:
        assert book.find_comment("explain_copy", LAB, LAB, "ada").comment == "No response."


def test_an_unreadable_submission_is_shown_flagged_and_without_points(course):
    path = course.submitted("ada", LAB) / f"{LAB}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text("no notebook")
    why = "it is no notebook, but plain text"
    write(
        course,
        Result(student="ada", lab=LAB, status="unreadable", points=0, of=10, problems=(why,)),
    )
    assert grades(course, "ada")["split_heads_test"] == (0, None, False)
    assert grades(course, "ada")["explain_copy"] == (None, None, True)
    with open_gradebook(course) as book:
        assert book.find_submission_notebook(LAB, LAB, "ada").flagged
    assert why in course.autograded("ada", LAB).read_text()


def test_a_flag_that_a_human_took_away_stays_away(course):
    result = replace(hand_in(course, "ada"), flags=("cell 4 mentions `.reference`",))
    write(course, result)
    with open_gradebook(course) as book:
        book.find_submission_notebook(LAB, LAB, "ada").flagged = False
        book.db.commit()
    write(course, result)
    with open_gradebook(course) as book:
        assert not book.find_submission_notebook(LAB, LAB, "ada").flagged


def test_a_lab_that_was_not_released_or_has_changed_is_refused(course, released):
    with open_gradebook(course) as book:
        book.remove_assignment(LAB)
    with pytest.raises(Refused, match="release it first"):
        write(course)
    release(course, LAB)
    text = course.source(LAB).read_text()
    course.source(LAB).write_text(text.replace('"points": 3', '"points": 5'))
    with pytest.raises(Refused, match="has changed"):
        write(course)


@pytest.mark.parametrize(
    ("noted", "year"), [("2026-11-23 10:00:00 UTC", 2026), ("\x00 soon", None)]
)
def test_the_time_of_handing_in_is_kept_where_it_is_one(course, noted, year):
    result = hand_in(course, "ada")
    (course.submitted("ada", LAB) / "timestamp.txt").write_text(noted)
    write(course, result)
    with open_gradebook(course) as book:
        when = book.find_submission(LAB, "ada").timestamp
    assert (when.year if when else None) == year


def test_only_one_grader_writes_at_a_time(course):
    with only_writer(course), pytest.raises(Refused, match="already"), only_writer(course):
        pass


def test_nothing_of_a_submission_reaches_a_page_unescaped(course):
    result = hand_in(course, "eve", RIGHT | {"explain_copy": f"# explain_copy\n{PAYLOAD}"})
    path = course.submission("eve", LAB)
    notebook = nbformat.read(path, as_version=4)
    extra = nbformat.v4.new_code_cell("1", metadata={"nbgrader": {"grade_id": '"><script>'}})
    extra.outputs = [
        nbformat.v4.new_output("display_data", {"text/html": PAYLOAD, "image/svg+xml": PAYLOAD}),
        nbformat.v4.new_output("display_data", {"image/png": f'AA"{PAYLOAD}'}),
        nbformat.v4.new_output(
            "display_data", {"image/png": PNG}, metadata={"image/png": {"width": '"><x>'}}
        ),
    ]
    notebook.cells += [extra, nbformat.v4.new_raw_cell(PAYLOAD)]
    nbformat.write(notebook, path)
    write(course, result)
    shown = nbformat.read(course.autograded("eve", LAB), as_version=4)
    code = [cell for cell in shown.cells if cell.cell_type == "code"]
    assert code[-1].metadata == {} and [o.metadata for o in code[-1].outputs] == [{}]
    assert code[-1].outputs[0].data == {"image/png": PNG}
    assert {cell.cell_type for cell in shown.cells} == {"code", "markdown"}
    with open_gradebook(course) as book:
        (submitted,) = graded(course, LAB, book)
        text = write_feedback(course, LAB, submitted).read_text()
    assert "<script" not in text and "&lt;script" in text
    assert (
        'id="explain_copy"' in text
        and text.count("explain_copy") == text.count("#explain_copy") + 2
    )


@pytest.mark.parametrize(
    ("markdown", "expected", "unwanted"),
    [
        ("a < b, `x < y`, $i<j$", "<code>x &lt; y</code>", "&amp;lt;"),
        (PAYLOAD, "&lt;script&gt;", "<script"),
        ("# explain_copy", "<h1>explain_copy</h1>", "id="),
        ("<button class='full-credit'>x</button>", "&lt;button", "<button"),
        ("[x](javascript:alert(1))", "x", "javascript"),
        ("<a href='/formgrader/?path=x'>y</a>", "<a>y</a>", "formgrader"),
        ("<img src='/formgrader/?path=x' onerror='a()'>", "<img>", "formgrader"),
        ("![a](data:image/png;base64,AAAA)", 'src="data:image/png;base64,AAAA"', "<pre"),
        ("![a](attachment:none.png)", "attachment:none.png", "<img"),
        ("```python\nprint('<b>')\n```", '<span class="nb">print</span>', "<b>"),
        ("| a |\n|---|\n| 1 |", "<td>1</td>", "|"),
        ("x" * 60_000, "<pre>xxx", "<p>"),
    ],
)
def test_markdown_is_shown_and_not_obeyed(markdown, expected, unwanted):
    shown = safe_html(markdown)
    assert expected in shown and unwanted not in shown


def test_nbgrader_s_own_pages_are_cleaned_too(course):
    from nbconvert.exporters import HTMLExporter

    write(course, hand_in(course, "eve", RIGHT | {"explain_copy": PAYLOAD}))
    exporter = HTMLExporter(config=course.settings)
    page, _ = exporter.from_filename(str(course.autograded("eve", LAB)))
    assert PAYLOAD not in page and "&lt;script&gt;alert(1)" in page


# Feedback and export.


def test_feedback_shows_points_messages_and_comments_and_no_hidden_test(course):
    write(course, hand_in(course, "ada"), hand_in(course, "bob", WRONG))
    grade_by_hand(course, "ada", 2.5, "Good: **strides** it is.")
    with open_gradebook(course) as book:
        pages = [write_feedback(course, LAB, one).read_text() for one in graded(course, LAB, book)]
    ada, bob = pages
    assert "8.5 of 10 points" in ada and "2.5 of 4" in ada
    assert "Good: <strong>strides</strong> it is." in ada
    assert "3 of 10 points" in bob and "✗ what split_heads gives" in bob
    assert "1 of your answers waits" in bob and "not yet graded, of 4" in bob
    for page in pages:
        assert "hidden" not in page and "417" not in page and "default-src &#39;none" not in page
        assert "default-src 'none'" in page and "<script" not in page and "<link" not in page


def test_feedback_carries_what_the_exchange_needs_to_hand_it_back(course, tmp_path):
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange.default import ExchangeReleaseFeedback

    write(course, hand_in(course, "ada"), hand_in(course, "bob"))
    noted = {"timestamp.txt": "2026-11-23 10:00:00.000000 UTC", "submission_secret.txt": "s3cret"}
    for name, text in noted.items():
        (course.submitted("ada", LAB) / name).write_text(text)
        (course.submitted("bob", LAB) / name).symlink_to(course.source(LAB))
    with open_gradebook(course) as book:
        pages = [write_feedback(course, LAB, one) for one in graded(course, LAB, book)]
    assert {name: pages[0].with_name(name).read_text() for name in noted} == noted
    assert [path.name for path in pages[1].parent.iterdir()] == [f"{LAB}.html"]
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    course.settings.Exchange.root = str(exchange)
    directory = CourseDirectory(config=course.settings, assignment_id=LAB)
    directory.student_id_exclude = "bob"
    ExchangeReleaseFeedback(coursedir=directory, config=course.settings).start()
    (handed_back,) = exchange.rglob("*.html")
    assert handed_back.read_bytes() == pages[0].read_bytes()


def test_feedback_before_grading_is_refused(course):
    with open_gradebook(course) as book, pytest.raises(Refused, match="grade run"):
        graded(course, LAB, book)


def test_the_table_adds_up_and_says_who_needs_a_human(course):
    odd = replace(hand_in(course, "bob", WRONG), flags=("=1+1 stands in cell 4",))
    course.results.write(odd)
    write(course, hand_in(course, "ada"), odd)
    grade_by_hand(course, "ada", 2.5, "")
    hand_in(course, "eve")  # not graded yet
    with open_gradebook(course) as book:
        book.update_or_create_student("zoe")  # on the list, but silent
        count = export(course, book, course.root / "grades.csv", [LAB], detail=True)
    with (course.root / "grades.csv").open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert count == len(rows) == 4
    ada, bob = rows["ada"], rows["bob"]
    assert (ada["auto"], ada["manual"], ada["total"], ada["max"]) == ("6.0", "2.5", "8.5", "10.0")
    assert ada["status"] == "graded" and ada["waiting"] == "0" and ada["needs_human"] == ""
    assert bob["needs_human"] == "'=1+1 stands in cell 4" and bob["waiting"] == "1"
    assert bob[f"{LAB}/split_heads_test"] == "0.0"
    assert rows["eve"]["status"] == "ungraded" and rows["zoe"]["status"] == "missing"


def test_a_gradebook_in_postgresql_does_all_the_same(released, postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_GRADEBOOK", postgres)
    course = Course.find(shutil.copytree(released.root, tmp_path / "course"))
    (course.root / "gradebook.db").unlink()
    release(course, LAB)
    result = hand_in(course, "ada", WRONG)
    assert write(course, result, result) == [True, False]
    grade_by_hand(course, "ada", 2.5, "One half.")
    write(course, hand_in(course, "ada"))
    assert grades(course, "ada")["explain_copy"] == (None, 2.5, False)
    with open_gradebook(course) as book:
        assert book.submission_dicts(LAB)[0]["score"] == 8.5
        (submitted,) = graded(course, LAB, book)
        page = write_feedback(course, LAB, submitted)
        assert export(course, book, course.root / "grades.csv", [LAB], detail=False) == 1
    assert "8.5 of 10 points" in page.read_text()
    assert not (course.root / "gradebook.db").exists()


# The command, and formgrader's buttons.


def run(*arguments, status=0):
    assert command.main([str(argument) for argument in arguments]) == status


def test_an_instructor_s_day(tmp_path, released, monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    root = shutil.copytree(released.root, tmp_path / "course")
    monkeypatch.chdir(root)
    downloads = tmp_path / "downloads"
    for student, answers in {"ada": RIGHT, "bob": WRONG}.items():
        (downloads / student).mkdir(parents=True)
        given = nbformat.read(root / "release" / LAB / f"{LAB}.ipynb", as_version=4)
        nbformat.write(answered(given, answers), downloads / student / f"{LAB}.ipynb")
    (downloads / "eve").mkdir()
    (downloads / "eve" / "essay.ipynb").write_text("no notebook")
    run("release", LAB)
    run("collect", LAB, downloads)
    assert "3 submissions taken: 3 new" in capsys.readouterr().out
    run("run", LAB, "--isolation", "process", "--workers", 1, status=1)
    said = capsys.readouterr().out
    assert "3 submissions: 2 graded, 1 unreadable" in said and "eve needs a human" in said
    assert grades(Course.find(root), "ada")["split_heads_test"][0] == 3
    assert grades(Course.find(root), "bob")["split_heads_test"][0] == 0
    run("run", LAB, "--isolation", "process", status=1)
    assert "0 graded now, 3 had a result already" in capsys.readouterr().out
    run("feedback", LAB)
    run("export")
    assert "3 lines" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own
def test_the_autograde_button_goes_through_the_sandbox(course):
    """nbgrader's own would run a submission with the rights of the instructor."""
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    hand_in(course, "bob", WRONG)
    api = NbGraderAPI(CourseDirectory(config=course.settings), config=course.settings)
    answer = api.autograde(LAB, "bob")
    if not answer["success"] and "SandboxError" in answer["error"] + answer.get("log", ""):
        pytest.skip("no sandbox can be made here")
    assert answer["success"], answer
    result = course.results.read("bob", LAB)
    assert result.isolation == "sandbox" and result.points == 3
    assert grades(course, "bob")["split_heads_test"] == (0, None, False)
    assert result.sha256 in course.autograded("bob", LAB).read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["release", "lab17"], "there is no lab 'lab17'"),
        (["collect", "../x", "."], "there is no lab '../x'"),
        (["run", LAB], "nobody has handed in"),
        (["run", LAB, "ada"], "ada has not handed in"),
        (["feedback", LAB], "nobody has been graded"),
        (["export", "--to", "nbgrader_config.py/grades.csv"], "nbgrader_config.py"),
        (["release", "--course", "/nowhere"], "no course directory"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(course, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(course.root)
    run(*arguments, status=2)
    seen = capsys.readouterr()
    assert words in seen.err and len(seen.err.splitlines()) == 1 and seen.out == ""


def test_the_doctor_names_what_does_not_hold(monkeypatch, capsys):
    found = [Protection(name="no network", holds=True), Protection(name="x", holds=False, seen="y")]
    monkeypatch.setattr(command, "protections", lambda: found)
    run("doctor", status=1)
    assert capsys.readouterr().out.splitlines() == ["✓ no network", "✗ x: y"]


def test_opening_the_gradebook_makes_no_parser_of_addresses(course, monkeypatch):
    """It would take a second of CPU time for each run; None in its place refuses the import."""
    import nbgrader.api

    class Watched(types.ModuleType):
        def __getattr__(self, name):
            found.append(sys.modules.get("rfc3987_syntax", "may be imported"))
            return getattr(nbgrader.api, name)

    found = []
    monkeypatch.delitem(sys.modules, "rfc3987_syntax", raising=False)
    monkeypatch.setitem(sys.modules, "nbgrader.api", Watched("nbgrader.api"))
    with open_gradebook(course):
        pass
    assert found and set(found) == {None} and "rfc3987_syntax" not in sys.modules
