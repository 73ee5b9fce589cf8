"""The project's checks: `nox` runs all of them, `nox -s NAME` one."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
# Tests and benchmarks start hundreds of processes: each would compile the ORM for more than a second.
os.environ["UV_COMPILE_BYTECODE"] = "1"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

BACKENDS = ("asm-backend-peewee", "asm-backend-pony", "asm-backend-sqlmodel")
PROVIDERS = ("asm-provider-anthropic", "asm-provider-openai")
DISTRIBUTIONS = ("asm-core", *BACKENDS, *PROVIDERS, "asm-contract-tests")
EDITABLE = [
    *("-e", "./asm-core[cli,otel,prices]", "-e", "./asm-contract-tests"),
    *(part for name in BACKENDS for part in ("-e", f"./{name}[postgresql]")),
    *(part for name in PROVIDERS for part in ("-e", f"./{name}")),
]
INTEGRATED = ("-e", "./asm-core[cli]", "-e", "./asm-backend-sqlmodel[postgresql]", "-e", "./asm-contract-tests")
GROUPS = nox.project.load_toml("pyproject.toml")
MAIN_JOB = ("run", "--agent", "builder", "--", "python", "-m", "compileall", "asm-core/src/asm_core/models")
ON_MINIMUMS = (
    "tests/backends/peewee",
    "tests/backends/sqlmodel",
    "tests/backends/together/test_same_answers.py",
    "tests/cli/test_documentation.py",
    "tests/cli/test_show.py",
    "tests/providers",
    "tests/tracing",
)
INTEGRATIONS = sorted(path.parent.name for path in Path("integrations").glob("*/pyproject.toml"))
PARALLEL = ("-n", "2", "--dist", "worksteal")


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group of the root's pyproject.toml."""
    return list(nox.project.dependency_groups(GROUPS, name))


def pytest(session: nox.Session, *args: str) -> None:
    """Install everything editable and run pytest; positional arguments of nox replace the paths."""
    session.install(*EDITABLE, *group("test"))
    session.run("pytest", *PARALLEL, *(session.posargs or args))


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests except the contract and the documentation."""
    pytest(session, "tests", "--ignore=tests/contract", "--ignore=tests/docs")


@nox.session
def contract(session: nox.Session) -> None:
    """Run the contract tests of every backend on every database."""
    pytest(session, "tests/contract")


@nox.session(venv_backend="uv")
@nox.parametrize("name", INTEGRATIONS or ["none"], ids=INTEGRATIONS or ["none"])
def integrations(session: nox.Session, name: str) -> None:
    """Test the session store of a framework in an environment of its own, with the newest and the lowest version."""
    if not INTEGRATIONS:
        session.skip("there is none")
    place = f"./integrations/{name}"
    tested = ("-e", f"{place}[test]")
    session.install(*INTEGRATED, *tested, *group("integrations"))
    session.run("mypy", f"{place}/src")
    with tempfile.TemporaryDirectory() as room:
        env = {"ASM_TEST_PYTHON": bare_python(session, Path(room), place)}
        session.run("pytest", *PARALLEL, "-W", "default", *(session.posargs or [f"{place}/tests"]), env=env)
    session.install("--resolution", "lowest-direct", "--upgrade", *tested, *INTEGRATED)
    session.run("pytest", *PARALLEL, "-W", "default", *(session.posargs or [f"{place}/tests"]))


def bare_python(session: nox.Session, room: Path, place: str) -> str:
    """Return the interpreter of an environment with a framework, and the wheels of its integration and a backend."""
    session.install(*group("package"), "uv")
    wheels = []
    for source, extra in (("asm-core", "cli"), ("asm-backend-sqlmodel", "postgresql"), (place, "test")):
        wheels.append(f"{built(session, room / Path(source).name, source)}[{extra}]")
    session.run("uv", "venv", "--quiet", "--python", sys.executable, f"{room}/bare")
    python = str(room / "bare" / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run("uv", "pip", "install", "--quiet", "--python", python, *wheels)
    return python


def built(session: nox.Session, room: Path, source: str) -> Path:
    """Build the wheel of a distribution in a directory of its own."""
    session.run("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(room), source, silent=True)
    return next(room.glob("*.whl"))


@nox.session
def docs(session: nox.Session) -> None:
    """Run the code blocks of the documentation and the examples in docstrings; check for completeness."""
    pytest(session, "tests/docs", "--doctest-modules", *(f"{name}/src" for name in DISTRIBUTIONS))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and the direction of imports."""
    session.install("--no-deps", *EDITABLE)
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all sources, strictly."""
    session.install(*EDITABLE, *group("types"))
    session.run("mypy")


@nox.session(default=False)
def stubs(session: nox.Session) -> None:
    """Write the types of the ports for asyncio from the synchronous ports, and the help of `asm` from its commands."""
    session.install("-e", "./asm-core[cli]")
    session.run("python", "tests/aio/stub.py")
    session.run("python", "tests/cli/helping.py")


@nox.session(venv_backend="uv")
def minimums(session: nox.Session) -> None:
    """Test backend and command line with the lowest declared dependencies (needs uv)."""
    session.install("--resolution", "lowest-direct", *EDITABLE, *group("test"))
    session.run("pytest", *PARALLEL, *(session.posargs or ON_MINIMUMS))


@nox.session
def package(session: nox.Session) -> None:
    """Build the wheels, install them in an empty environment outside the repository, and record a command."""
    session.install(*group("package"))
    with tempfile.TemporaryDirectory() as room:
        for distribution in DISTRIBUTIONS:
            built(session, Path(room), distribution)
        session.run("python", "-m", "venv", f"{room}/bare")
        work = Path(room, "work")
        work.mkdir()
        (work / "module.py").write_text("answer = 42\n")
        with session.chdir(work):
            use_wheels(session, Path(room))


def use_wheels(session: nox.Session, room: Path) -> None:
    """Record a command with the wheels in a directory, first without the extra and then with it."""
    core, *others, suite = (str(next(room.glob(f"{name.replace('-', '_')}-*.whl"))) for name in DISTRIBUTIONS)
    scripts = room / "bare" / ("Scripts" if os.name == "nt" else "bin")
    # Nothing of the session's environment may be seen from the bare one.
    clean = {name: None for name in os.environ if name.startswith(("ASM_", "PYTHON", "VIRTUAL_ENV"))}
    env = {**clean, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}

    def run(command: str, *args: str, **options: object) -> str:
        return str(session.run(str(scripts / command), *args, env=env, external=True, **options))

    run("pip", "install", "--quiet", core, *others)
    if "asm-core[cli]" not in run("asm", silent=True, success_codes=[1]):
        session.error("without its extra, `asm` must say what to install")
    run("pip", "install", "--quiet", f"{core}[cli]")
    for backend in BACKENDS:
        store = ("--backend", backend.removeprefix("asm-backend-"), "--url", f"sqlite:///{backend}.db")
        run("asm", *store, *MAIN_JOB)
        sessions = json.loads(run("asm", *store, "sessions", "--json", silent=True, stderr=sys.stderr))
        if [found["status"] for found in sessions] != ["completed"]:
            session.error(f"the main job must leave one completed session, not {sessions}")
        run("asm", *store, "health")
    providers = json.loads(run("asm", "providers", "--json", silent=True, stderr=sys.stderr))
    if [found["status"] for found in providers] != ["ok"] * len(PROVIDERS):
        session.error(f"all providers must be ok, not {providers}")
    run("pip", "install", "--quiet", suite)
    run("python", "-c", "import asm_contract_tests")


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Run the tests of concurrency, kills, hostile input and a million events many times as long."""
    session.install(*EDITABLE, *group("test"))
    pytest = ("pytest", *PARALLEL, "--timeout=3600", "-m", "soak")
    session.run(*pytest, "--soak=20", "tests/contract", *session.posargs)
    session.run(*pytest, "--soak=50", "tests/proofs", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure the backends against a hand-written floor; positional arguments of nox select workloads and rounds."""
    session.install(*EDITABLE, *group("bench"))
    session.run("python", "-m", "benchmarks", *session.posargs)
