"""`python -m jaxkit`: explain and lesson, from the command line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jaxkit import __main__ as command
from jaxkit import lessons
from jaxkit.exercises.command import DESCRIPTION as EXERCISE
from jaxkit.explaining import command as explain
from jaxkit.lessons import pictures
from jaxkit.lessons.command import DESCRIPTION as LESSON

F = "lambda x, y: x * x * y + (y + 2)"


def test_explain(capsys):
    assert command.main(["explain", F, "3", "4"]) == 0
    assert re.search(
        r"n7 +n5 \+ n6 +42.0 +24.0 +10.0 +1.0 +seed", capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("text", "arguments", "value"),
    [
        ("x * x", ["3"], 9.0),
        ("sin", ["0"], 0.0),
        ("y * x + sum(jnp.array([i * x for i in range(3)]))", ["3", "2"], 12.0),
        ("sum(p['w'] @ x)", ["{'w': [1, 2]}", "2 * ones((2, 1))"], 6.0),
        ("lax.exp(x)", ["zeros(())"], 1.0),
        ("size(x)", ["f32[2, 3]"], 6.0),
        ("lambda y, x: y - x", ["3", "2"], 1.0),
    ],
)
def test_expressions(text, arguments, value, capsys):
    given = map(explain.argument, arguments)
    assert float(explain.load(text)(*given)) == value
    if text != "size(x)":
        assert command.main(["explain", text, *arguments]) == 0
        assert "df/dn" in capsys.readouterr().out


def test_a_page(tmp_path, monkeypatch, capsys):
    path, opened = tmp_path / "f.html", []
    assert command.main(["explain", "x * x", "3", "--html", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert command.main(["explain", "x * x", "3", "--open"]) == 0
    shown = capsys.readouterr().out.split("in the browser: ")[1].strip()
    assert opened == [Path(shown).as_uri()]
    Path(shown).unlink()


@pytest.mark.parametrize("text", [explain.DESCRIPTION, LESSON, EXERCISE])
def test_examples_of_the_help(text, capsys, tmp_path, monkeypatch):
    """All but those that write the repository's pages."""
    (tmp_path / "model.py").write_text("def loss(w):\n    return (w * w).sum()\n")
    (tmp_path / "my.py").write_text("")
    (tmp_path / "class" / "ann").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    lines = [x.split("  #")[0] for x in text.splitlines() if "python -m jaxkit" in x]
    assert len(lines) >= 3
    for line in lines:
        words = shlex.split(re.split(r"   +", line.strip())[0])[3:]
        if {"--build", "--check"} & set(words):
            continue
        unwritten = words == ["exercise", "5"] or "class" in words or "my.py" in words
        assert command.main(words) == (1 if unwritten or "--all" in words else 0)
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "option", ["--step", "--stages", "--order=2", "--mode=reverse"]
)
def test_options(option, capsys):
    assert command.main(["explain", F, "3", "4", option]) == 0
    printed = capsys.readouterr().out
    expected = {"--step": "·", "--stages": "transpose: cn7", "--order=2": "d(df/dy)/dn"}
    assert expected.get(option, "n5: 1*9") in printed


def test_open_and_save(tmp_path, capsys):
    quantile = "lambda x: jnp.quantile(x, 0.3)"  # a jit, so a box
    assert command.main(["explain", quantile, "[1, 2, 4]"]) == 0
    box = re.search(r"boxes that can be opened: n(\d+)", capsys.readouterr().out)
    assert box
    assert command.main(["explain", quantile, "[1, 2, 4]", "--box", box[1]]) == 0
    assert "sort(" in capsys.readouterr().out
    path = tmp_path / "f.json"
    assert command.main(["explain", F, "3", "4", "--save", str(path)]) == 0
    assert len(json.loads(path.read_text())["nodes"]) == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sin(", "3"], "'sin(' is no expression"),
        (["3", "3"], "'3' is no function"),
        (["nowhere.py:f", "3"], "there is no file nowhere.py"),
        (["no_such_module:f", "3"], "there is no module no_such_module"),
        (["math:nothing", "3"], "there is no function nothing in math"),
        ([F, "3", "four"], "'four' is no argument (name 'four' is not defined)"),
        ([F, "3", "i32[3]"], "only f32 is drawn"),
        ([F, "3", "4", "--box", "4"], "n4 is no box"),
        ([F, "3", "4", "--box", "0"], "there is no node n0"),
        (["foo(x)", "3"], "there is no function foo in jax.numpy"),
        (["lambda x: foo * x", "3"], "'lambda x: foo * x': there is no foo in jax"),
        (["x * y", "3"], "'x * y' takes the arguments (x, y), and 1 came"),
        (["sin(x)", "3", "4"], "'sin(x)' takes the arguments (x), and 2 came"),
        (["x +* y", "3"], "'x +* y' is no expression (invalid syntax); pass one"),
        ([F, "3", "[1, 2"], "'[1, 2' is no argument ('[' was never closed); pass"),
        (["jnp.foo(x)", "3"], "has no attribute 'foo'"),
        ([F, "3", "4", "--html", "f.svg"], "--html f.svg: end its name with .html"),
        ([F, "3", "4", "--stages", "--save", "f.svg"], "pass one of them, alone"),
        ([F, "3", "4", "--save", "f.png"], "f.png: end it with one of .html, .svg"),
    ],
)
def test_messages(words, message, capsys):
    assert command.main(["explain", *words]) == 2
    assert message in capsys.readouterr().err


def test_who_has_read_enough_is_no_error():
    """What `head` doesn't read any more isn't complained of."""
    program = [sys.executable, "-m", "jaxkit", "lesson"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(program, **pipe) as process:
        process.stdout.close()  # before anything is printed
        assert process.wait(120) == 1 and process.stderr.read() == b""


def test_lessons_are_listed(capsys):
    assert command.main(["lesson"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(lessons.lessons())
    assert lines[0].startswith("0. ")


def test_a_lesson_writes_what_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "FOLDER", None)
    assert command.main(["lesson", "1"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert "picture 01-slope" in capsys.readouterr().out
    assert command.main(["lesson", "1", "--pictures", "here"]) == 0
    assert [x.name for x in (tmp_path / "here").iterdir()] == ["01-slope.svg"]
    shown = pictures.Picture("name", (tmp_path / "here" / "01-slope.svg").read_text())
    assert "<svg" in shown._repr_svg_()


def test_no_such_lesson(capsys):
    last = len(lessons.lessons()) - 2  # the appendix has no number
    assert command.main(["lesson", "99"]) == 2
    assert f"there is no lesson 99; there are 0 to {last}" in capsys.readouterr().err


def test_pages_are_written_in_a_clone(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(lessons, "PAGES", tmp_path / "none")
    assert command.main(["lesson", "--build"]) == 2
    assert "pages are written in a clone" in capsys.readouterr().err
