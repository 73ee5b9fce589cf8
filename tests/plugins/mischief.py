"""Plugins that misbehave while they are loaded, each in its own way, and the reason that a listing gives."""

from __future__ import annotations

_SPEC = """\
import enum, os, signal, sys, warnings
from asm_core import PORT_VERSION, BackendSpec, Capability, hookimpl


class Hostile:
    def __repr__(self):
        raise SystemExit("repr")

    __str__ = __repr__


class Endless:
    def __repr__(self):
        return "x" * 50_000_000


class HostileError(Exception):
    def __str__(self):
        raise SystemExit("str")


class NoTextError(Exception):
    def __str__(self):
        return 5


class Meta(type):
    def __eq__(cls, other):
        raise RuntimeError("eq")

    def __hash__(cls):
        raise RuntimeError("hash")

    def __repr__(cls):
        raise RuntimeError("repr")

    @property
    def __name__(cls):
        raise RuntimeError("name")


class Odd(metaclass=Meta):
    pass


class Getting:
    def __getattr__(self, name):
        raise KeyError(name)

    @property
    def __class__(self):
        raise OSError("class")


class Moody(BackendSpec):
    def __getattribute__(self, name):
        if name in ("capabilities", "port_version"):
            raise GeneratorExit(name)
        return super().__getattribute__(name)


def opened(url, *, migrate):
    raise RuntimeError("never opened")


def spec(**fields):
    sound = {"name": NAME, "open": opened, "capabilities": frozenset(), "port_version": PORT_VERSION}
    return BackendSpec(**{**sound, **fields})


@hookimpl
def asm_backend():
    return spec()


"""

_HOOK = "asm_backend = hookimpl(lambda: %s)\n"

_RAISES = {
    "exit": ('sys.exit("bye")\n', "SystemExit: bye"),
    "exit_status": ("sys.exit(0)\n", "SystemExit: 0"),
    "base_exception": ("raise BaseException('base')\n", "BaseException: base"),
    "interrupt": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "interrupt_hook": (
        "@hookimpl\ndef asm_backend():\n    raise KeyboardInterrupt('mine')\n",
        "KeyboardInterrupt: mine",
    ),
    "generator_exit": ("raise GeneratorExit\n", "GeneratorExit"),
    "syntax": ("def :\n", "SyntaxError: "),
    "recursion": ("def f():\n    f()\nf()\n", "RecursionError: "),
    "hostile_error": ("raise HostileError\n", "HostileError (its message cannot be shown)"),
    "error_without_text": ("raise NoTextError\n", "NoTextError (its message cannot be shown)"),
    "long_error": ("raise ValueError('x' * 50_000_000)\n", "ValueError: xxx"),
    "error_of_many_lines": (
        "raise ValueError('a\\nb\\x1b[2J\\u202e\\udcff')\n",
        r"ValueError: a\nb\x1b[2J\u202e\udcff",
    ),
    "warnings": ("warnings.simplefilter('error')\nwarnings.warn('old')\n", "UserWarning: old"),
    "odd_name": ("raise type('Odd\\nError', (Exception,), {})('x')\n", r"'Odd\nError': x"),
}
_SPECS = {
    "none": ("None", "returns None instead of a BackendSpec"),
    "text": ("'spec'", "returns 'spec' instead of a BackendSpec"),
    "hostile_object": ("Hostile()", ".Hostile object at 0x"),
    "endless_object": ("Endless()", ".Endless object at 0x"),
    "metaclass": ("Odd()", "Odd object at 0x"),
    "metaclass_type": ("Odd", "Meta object at 0x"),
    "class_raises": ("Getting()", "OSError: class"),
    "attributes_raise": (
        "Moody(name=NAME, open=opened, capabilities=frozenset(), port_version=PORT_VERSION)",
        "GeneratorExit: ",
    ),
    "name_number": ("spec(name=5)", "a BackendSpec named 5, not '"),
    "name_other": ("spec(name='other')", "a BackendSpec named 'other', not '"),
    "name_hostile": ("spec(name=Hostile())", "Hostile object at 0x"),
    "version_text": ("spec(port_version='1')", "has the port_version '1' instead of asm_core.PORT_VERSION"),
    "version_none": ("spec(port_version=None)", "has the port_version None instead of"),
    "version_bool": ("spec(port_version=True)", "has the port_version True instead of"),
    "capabilities_none": (
        "spec(capabilities=None)",
        "has the capabilities None instead of a frozenset of asm_core.Capability",
    ),
    "capabilities_text": ("spec(capabilities=frozenset({'transactions', 'fly'}))", "has the capabilities frozenset({'"),
    "capabilities_hostile": ("spec(capabilities=[Hostile()])", "Hostile object at 0x"),
    "databases_number": ("spec(databases=5)", "has the databases 5 instead of a tuple of strings"),
    "databases_hostile": ("spec(databases=(Hostile(),))", "Hostile object at 0x"),
    "open_none": ("spec(open=None)", "has the open None instead of a function"),
}
_MODULES = {
    "hook_arguments": ("@hookimpl\ndef asm_backend(url):\n    return spec()\n", "PluginValidationError"),
    "hook_unknown": ("@hookimpl\ndef asm_something():\n    pass\n", "PluginValidationError"),
    "hook_number": ("asm_backend = 5\n", "returns None instead of a BackendSpec"),
    "module_attributes_raise": (
        "def __getattr__(name):\n    raise SystemExit(name)\ndef __dir__():\n    return ['x']\n",
        "returns None instead of",
    ),
}
_PROCESS = {
    "os_exit": ("os._exit(0)\n", "it ended the process that loaded it, with status 0"),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)\n", "it ended the process that loaded it, by signal 9"),
}

BROKEN: dict[str, tuple[str, str]] = {
    **_RAISES,
    **{name: (_HOOK % text, reason) for name, (text, reason) in _SPECS.items()},
    **_MODULES,
    **_PROCESS,
}
"""The lines that a plugin adds to a sound one, and a part of the reason, by its name."""
INCOMPATIBLE = {
    "version_huge": (_HOOK % "spec(port_version=10**5000, capabilities=None)", "version <an integer of 16610 bits> of"),
    "version_negative": (_HOOK % "spec(port_version=-1)", "version -1 of the ports"),
}
NOISY = {
    "prints": "print('noise\\x1b[2J'); print('noise', file=sys.stderr); sys.__stdout__.write('noise')\n",
    "prints_below": "os.write(1, b'noise'); os.write(2, b'noise\\x1b[2J'); os.system('echo noise; echo noise >&2')\n",
    "prints_at_exit": "import atexit; atexit.register(print, 'noise')\n",
    "prints_from_c": "import ctypes; ctypes.CDLL(None).puts(b'noise')\n",
    "closes_streams": "os.close(1); os.close(2); sys.stdout.close()\n",
    "replaces_streams": "sys.stdout = sys.stderr = None\n",
    "warns": "warnings.warn('noise')\n",
    "changes_signals": "signal.signal(signal.SIGINT, signal.SIG_IGN); os.chdir('/'); sys.setrecursionlimit(60)\n",
    "reads_input": "sys.stdin.read()\n",
}
"""Plugins that work, and make noise."""


def module(name: str, lines: str) -> str:
    """Return the text of a plugin's module."""
    return _SPEC.replace("NAME", repr(name)) + lines.replace("NAME", repr(name))


def install(site: str, name: str, lines: str) -> None:
    """Install a plugin's distribution as an installer would: its module and its metadata."""
    from pathlib import Path  # noqa: PLC0415

    Path(site, f"asm_mischief_{name}.py").write_text(module(name, lines), "utf-8")
    add_metadata(site, f"asm-mischief-{name}", f"[asm.backends]\n{name} = asm_mischief_{name}\n")


def add_metadata(site: str, distribution: str, entry_points: str | bytes) -> None:
    """Install a distribution that has nothing but metadata."""
    from pathlib import Path  # noqa: PLC0415

    place = Path(site, f"{distribution.replace('-', '_')}-1.0.dist-info")
    place.mkdir()
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", "utf-8")
    data = entry_points.encode() if isinstance(entry_points, str) else entry_points
    (place / "entry_points.txt").write_bytes(data)
