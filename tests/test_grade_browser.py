"""JupyterLab and formgrader in a real browser, over a course that this package graded."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from small_course import LAB, RIGHT, WRONG, answered, hand_in, repository

from encoder_course.grade.course import init
from encoder_course.grade.feedback import graded, write_feedback
from encoder_course.grade.gradebook import GradebookWriter, open_gradebook
from encoder_course.grade.release import checked_master, release

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_SECONDS = 60
OUTSIDE = re.compile(r"https?://(?!127\.0\.0\.1[:/])")
PATIENCE = 30_000  # milliseconds for a page to show something
ATTACK = """Strides.

<script>document.title = "taken over"</script>
<img src="x" onerror="document.title = 'taken over'">

# explain_copy
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded course of one honest student and one who would like to grade herself."""
    folder = tmp_path_factory.mktemp("browser")
    course, _ = init(folder / "course", repository=repository(folder))
    release(course, LAB)
    results = [
        hand_in(course, "bob", WRONG),
        hand_in(course, "eve", RIGHT | {"explain_copy": ATTACK}),
    ]
    with open_gradebook(course) as book:
        writer = GradebookWriter(course, checked_master(course.source(LAB)), book)
        for result in results:
            writer.write(result)
    return course


@pytest.fixture(scope="module")
def jupyter(course, tmp_path_factory):
    """The address of a JupyterLab in the course directory, with settings of its own."""
    home = tmp_path_factory.mktemp("home")
    quiet = home / "config/lab/user-settings/@jupyterlab/apputils-extension"
    quiet.mkdir(parents=True)
    no_news = {"fetchNews": "false", "checkForUpdates": False}
    (quiet / "notification.jupyterlab-settings").write_text(json.dumps(no_news))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    places = {
        f"JUPYTER_{name.upper()}_DIR": str(home / name) for name in ("config", "data", "runtime")
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token="]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            command,
            cwd=course.root,
            env=os.environ | places | {"HOME": str(home), "IPYTHONDIR": str(home / "ipython")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_SECONDS
    while not answers(address):
        assert server.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
        time.sleep(0.2)
    yield address
    server.terminate()
    server.wait()


def answers(address):
    try:
        with urllib.request.urlopen(f"{address}/api/status", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def page():
    """A page of a headless chromium that reaches this machine only."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.route(OUTSIDE, lambda route: route.abort())  # formgrader's MathJax
        yield page
        browser.close()


def test_a_student_s_validate_button_shows_the_diagnosis(course, jupyter, page):
    path = course.root / "mine" / f"{LAB}.ipynb"
    path.parent.mkdir()
    given = nbformat.read(course.release(LAB) / path.name, as_version=4)
    nbformat.write(answered(given, WRONG), path)
    page.goto(f"{jupyter}/lab/tree/mine/{LAB}.ipynb")
    page.get_by_role("button", name="Validate").click()
    shown = page.locator(".jp-Dialog").inner_text()
    assert "✗ lab03.2 heads apart" in shown and "Traceback" not in shown


def test_an_answer_in_words_is_graded_in_formgrader_and_goes_back_to_the_student(
    course, jupyter, page
):
    page.goto(f"{jupyter}/formgrader/gradebook/{LAB}/{LAB}")
    page.locator("td.name a").first.wait_for()
    rows = page.locator("tbody tr").all_inner_texts()
    assert sorted(row.split("\t")[2] for row in rows) == ["3 / 10", "6 / 10"]
    submissions = {}
    with open_gradebook(course) as book:
        for student in ("bob", "eve"):
            submissions[student] = book.find_submission_notebook(LAB, LAB, student).id

    for student, points in (("bob", 2.5), ("eve", 1)):
        page.goto(f"{jupyter}/formgrader/submissions/{submissions[student]}/")
        score = page.locator("input#explain_copy")
        page.wait_for_load_state("networkidle")
        score.fill(str(points))
        with page.expect_response(lambda one: "/api/grade/" in one.url and one.ok):
            score.press("Tab")
        comment = page.locator("#explain_copy-comment")
        comment.fill(f"That is **{points}** of 4.")
        with page.expect_response(lambda one: "/api/comment/" in one.url and one.ok):
            comment.press("Tab")
        assert page.title() == LAB
        assert page.locator("#explain_copy").count() == 1  # a heading cannot take the box's place

    with open_gradebook(course) as book:
        pages = [write_feedback(course, LAB, one) for one in graded(course, LAB, book)]
    for path, total, points in zip(pages, ("5.5", "7"), (2.5, 1), strict=True):
        page.goto(Path(path).as_uri())
        shown = page.inner_text("main")
        assert f"{total} of 10 points" in shown and f"That is {points} of 4." in shown
        assert page.locator("script, link, iframe").count() == 0
        assert "taken over" not in page.title()
