"""Whatever a plugin does while it is listed or loaded, the list goes on, and other backends are not disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mischief import BROKEN, INCOMPATIBLE, NOISY, add_metadata, install

from asm_core.escaping import short_repr

if TYPE_CHECKING:
    from conftest import Environment

ENOUGH = 100.0
SCRIPT = """\
import json, sys
import asm_core as asm

asm.open_backend("memory").close()
answers = {}
for name in sys.argv[1:]:
    try:
        asm.open_backend(name)
    except asm.AsmError as error:
        answers[name] = (error.code, error.message, type(error.__cause__).__name__)
listed = {info.name: (info.status, info.error) for info in asm.installed_backends() if info.name in sys.argv}
print(json.dumps((answers, listed)))
"""
IN_PROCESS = [name for name in BROKEN if name not in {"os_exit", "killed"}]


def run(command: list[str], site: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds what is installed in `site`, and that Ctrl-C interrupts."""
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def site(environment: Environment) -> str:
    return environment.run(
        "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=Path.cwd()
    ).strip()


@pytest.fixture(scope="module")
def listed(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Install all of them and return what `asm backends --json` says of each."""
    place = site(environment)
    for name, (lines, _) in {**BROKEN, **INCOMPATIBLE}.items():
        install(place, name, lines)
    for name, lines in NOISY.items():
        install(place, name, lines)
    add_metadata(place, "asm-mischief-missing", "[asm.backends]\nmissing = asm_mischief_nowhere\n")
    add_metadata(place, "asm-mischief-malformed", "[asm.backends]\nmalformed = a b c\n")
    add_metadata(place, "asm-mischief-relative", "[asm.backends]\nrelative = ..\n")
    add_metadata(place, "asm-mischief-escape", "[asm.backends]\nesc\x1b[2J = asm_mischief_none\n")
    for double in ("first", "second"):
        add_metadata(place, f"asm-mischief-{double}", f"[asm.backends]\ndouble = asm_{double}\n")
    (Path(place) / "asm_mischief_escape-1.0.dist-info" / "METADATA").unlink()
    cwd = tmp_path_factory.mktemp("cwd")
    done = subprocess.run(
        [environment.scripts / "asm", "backends", "--json"],
        cwd=cwd,
        env=environment.variables(),
        capture_output=True,
        text=True,
        timeout=ENOUGH,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {info["name"]: info for info in json.loads(done.stdout)}


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_misbehaves_is_listed_as_broken(listed: dict[str, Any], name: str) -> None:
    info = listed[name]
    assert info["status"] == "broken"
    assert BROKEN[name][1] in info["error"]
    assert info["error"].startswith(f"The backend '{name}' (asm-mischief-{name} 1.0) cannot be loaded: ")
    assert len(info["error"]) < 600
    assert not {unicodedata.category(one) for one in info["error"]} & {"Cc", "Cf", "Cs"}


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_a_plugin_of_an_odd_version_is_incompatible(listed: dict[str, Any], name: str) -> None:
    assert listed[name]["status"] == "incompatible"
    assert INCOMPATIBLE[name][1] in listed[name]["error"]


@pytest.mark.parametrize("name", NOISY)
def test_a_plugin_that_makes_noise_does_not_disturb_the_list(listed: dict[str, Any], name: str) -> None:
    assert (listed[name]["status"], listed[name]["error"]) == ("ok", None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "ModuleNotFoundError: No module named 'asm_mischief_nowhere'"),
        ("malformed", "AttributeError: "),
        ("relative", "TypeError: "),
        ("esc\x1b[2J", r"The backend 'esc\x1b[2J'"),
        ("double", "is offered by asm-mischief-first and asm-mischief-second. Uninstall all but one."),
    ],
)
def test_an_entry_point_that_is_no_good_is_listed_as_broken(listed: dict[str, Any], name: str, reason: str) -> None:
    assert listed[name]["status"] == "broken"
    assert reason in listed[name]["error"]


def test_our_own_backends_are_listed_as_ever(listed: dict[str, Any]) -> None:
    assert {listed[name]["status"] for name in ("memory", "peewee", "pony", "sqlmodel")} == {"ok"}


def test_a_plugin_that_misbehaves_raises_one_error_when_it_is_opened(tmp_path: Path) -> None:
    for name in IN_PROCESS:
        install(str(tmp_path), name, BROKEN[name][0])
    command = [sys.executable, "-c", SCRIPT, *IN_PROCESS]
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    answers, found = json.loads(done.stdout)
    assert {name: code for name, (code, _, _) in answers.items()} == dict.fromkeys(IN_PROCESS, "broken_backend")
    causes = {name: cause for name, (_, _, cause) in answers.items()}
    assert (causes["exit"], causes["interrupt"], causes["version_none"]) == (
        "SystemExit",
        "KeyboardInterrupt",
        "TypeError",
    )
    assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(IN_PROCESS, "broken")


def test_a_distribution_whose_entry_points_cannot_be_read_hides_no_other(
    environment: Environment, listed: dict[str, Any], tmp_path: Path
) -> None:
    place = site(environment)
    assert listed
    for name, entry_points in (("torn", "[asm.backends]\nno equals sign\n"), ("latin", b"[asm.backends]\n\xe9 = x\n")):
        add_metadata(place, f"asm-unreadable-{name}", entry_points)
    try:
        found = {info["name"]: info for info in json.loads(environment.run("asm", "backends", "--json", cwd=tmp_path))}
        assert found["memory"]["status"] == "ok"
        assert found["asm-unreadable-torn"]["status"] == "broken"
        assert (
            environment.run(
                "python", "-c", "import asm_core as asm; asm.open_backend('peewee', migrate=True)", cwd=tmp_path
            )
            == ""
        )
    finally:
        for name in ("torn", "latin"):
            (Path(place) / f"asm_unreadable_{name}-1.0.dist-info" / "entry_points.txt").unlink()


INTERRUPTED = """\
import signal, sys
import asm_core as asm

{handler}
asm.installed_backends()
"""


@pytest.mark.parametrize(
    "lines",
    [
        "signal.raise_signal(signal.SIGINT)",
        "try:\n    signal.raise_signal(signal.SIGINT)\nexcept BaseException:\n    pass\n",
    ],
)
@pytest.mark.parametrize(
    ("handler", "error"),
    [
        ("", "KeyboardInterrupt"),
        ("def stop(*_):\n    raise LookupError('late')\nsignal.signal(signal.SIGINT, stop)", "LookupError: late"),
    ],
)
def test_what_a_signal_handler_raises_is_not_the_plugins(tmp_path: Path, lines: str, handler: str, error: str) -> None:
    install(str(tmp_path), "signalled", f"{lines}\n")
    done = run([sys.executable, "-c", INTERRUPTED.format(handler=handler)], tmp_path)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(error)


def test_ctrl_c_ends_the_listing(tmp_path: Path) -> None:
    install(str(tmp_path), "slow", "os.kill(os.getppid(), signal.SIGINT)\nsignal.pause()\n")
    done = run([sys.executable, "-m", "asm_core", "backends"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


class Hostile:
    def __repr__(self) -> str:
        raise SystemExit


class Endless:
    def __repr__(self) -> str:
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, (None,)]}, "{'a': [1, (None,)]}"),
        ([Hostile()], "[<test_mischief.Hostile object at 0x"),
        ({"k": Endless()}, "{'k': <test_mischief.Endless object at 0x"),
        (10**5000, "<an integer of 16610 bits>"),
        ("x" * 10**6, "'" + "x" * 79 + "…"),
        ([0] * 10**6, "[0, 0, 0"),
        ([[[["deep"]]]], "[[[…]]]"),
        (set(), "set()"),
        (signal.SIGINT, "<Signals.SIGINT>"),
    ],
    ids=map(str, range(9)),
)
def test_a_value_in_a_message_runs_no_foreign_code(value: object, text: str) -> None:
    assert short_repr(value).startswith(text)
    assert len(short_repr(value)) <= 81
