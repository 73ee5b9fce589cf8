"""A virtual environment as a stranger has one: what this one has, and room for one more distribution."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import venv
from pathlib import Path

import pytest
from postgresql_server import (  # noqa: F401  fixtures, once for all
    indexed_database,
    indexed_url,
    partitioned_database,
    partitioned_url,
    postgresql_database,
    postgresql_server,
    postgresql_url,
)
from processes import LIMIT
from sqlite_files import migrated_file, sqlite_url  # noqa: F401  likewise

COMMANDS = {"asm": "from asm_core.cli import main", "pytest": "from pytest import console_main as main"}

INSTALL_LIMIT = 10 * LIMIT
"""Seconds that a whole test suite in an environment of its own may take."""


def pytest_configure() -> None:
    """Let signals do in the processes that tests start what they do by default, and Ctrl-C interrupt this one.

    A shell starts what runs in its background with SIGINT and SIGQUIT ignored, and nohup with SIGHUP, and what is
    ignored is inherited. A handler that does nothing ignores a signal here, and is not inherited.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else lambda *_: None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End this process, and show where it hangs, if a thread that a test left keeps it from ending.

    A worker of xdist waits for the other workers after its last test, which may take any time.
    """
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(LIMIT, exit=True, file=sys.__stderr__ or 2)


class Environment:
    """A virtual environment in which everything of the running one can be imported; what it installs is its own."""

    def __init__(self, place: Path) -> None:
        """Make it."""
        venv.create(place, with_pip=True)
        self.scripts = place / "bin"
        site = subprocess.check_output(
            [self.scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            text=True,
            timeout=LIMIT,
        )
        outer = sysconfig.get_path("purelib")
        Path(site.strip(), "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n", "utf-8")
        for name, line in COMMANDS.items():
            script = self.scripts / name
            script.write_text(f"#!{self.scripts / 'python'}\nimport sys\n{line}\nsys.exit(main())\n", "utf-8")
            script.chmod(0o755)

    def variables(self) -> dict[str, str]:
        """Return the environment variables for a command in it; pip looks at no index and builds with what is here."""
        return {
            **own_variables(),
            "PATH": os.pathsep.join([str(self.scripts), *own_variables()["PATH"].split(os.pathsep)]),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # as pip reads it: no isolation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTEST_ADDOPTS": "-x",  # one failure tells enough, and those of a broken store take their time
        }

    def run(self, *command: str, cwd: Path) -> str:
        """Run a command in it and return what it prints; fail with that if it fails."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=INSTALL_LIMIT,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def own_variables() -> dict[str, str]:
    """Return the environment variables for a command of the running environment, free of settings of ours."""
    ours = ("ASM_", "PYTEST_", "PYTHON", "PIP_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return a fresh environment."""
    return Environment(tmp_path_factory.mktemp("environment") / "venv")


@pytest.fixture
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, without the variables that configure stores."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith(("ASM_", "PG"))]:
        monkeypatch.delenv(variable)
    return tmp_path
