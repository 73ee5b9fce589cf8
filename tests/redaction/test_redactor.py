"""A redactor finds secrets of known forms, wherever the text is cut."""

from __future__ import annotations

import re
import string
import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asm_core as asm
from asm_core.redaction.rules import RULES, Ending, Rule
from asm_core.redaction.secrets import Secrets

WORD = string.ascii_letters + string.digits
MANY = "aB3" * 40
SECRETS = {
    "anthropic_api_key": f"sk-ant-api03-{MANY}",
    "openai_api_key": f"sk-proj-{MANY}",
    "openrouter_api_key": f"sk-or-v1-{MANY}",
    "stripe_api_key": f"sk_live_{MANY}",
    "aws_access_key": "AKIAIOSFODNN7EXAMPLE",
    "google_api_key": f"AIza{MANY}",
    "github_token": f"ghp_{MANY}",
    "gitlab_token": f"glpat-{MANY}",
    "slack_token": f"xoxb-1234567890-{MANY}",
    "huggingface_token": f"hf_{MANY}",
    "groq_api_key": f"gsk_{MANY}",
    "xai_api_key": f"xai-{MANY}",
    "npm_token": f"npm_{MANY}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJ{MANY}.{MANY}",
}
BLOCK = f"-----BEGIN RSA PRIVATE KEY-----\n{MANY}\n{MANY}\n-----END RSA PRIVATE KEY-----"


def redact(text: str, **options: Any) -> str:
    redacted, _ = asm.Redactor(**options).redact(text)
    assert isinstance(redacted, str)
    return redacted


@pytest.mark.parametrize(("category", "secret"), SECRETS.items())
def test_keys_of_vendors_are_replaced(category: str, secret: str) -> None:
    assert redact(f"use {secret}, then go") == f"use [REDACTED:{category}], then go"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PASSWORD=hunter2 next", "PASSWORD=[REDACTED:password] next"),
        ('{"db_password": "a b\\"c", "x": 1}', '{"db_password": "[REDACTED:password]", "x": 1}'),
        ('{\\"api_key\\": \\"abcdefgh1\\"}', '{\\"api_key\\": \\"[REDACTED:secret]\\"}'),
        ("config['passwd'] = 'x'", "config['passwd'] = '[REDACTED:password]'"),
        ("https://h/?token=abcdefgh1&x=1", "https://h/?token=[REDACTED:secret]&x=1"),
        ("postgres://u:p@ss@host/db", "postgres://u:[REDACTED:url_password]@host/db"),
        ("redis://:secret@host", "redis://:[REDACTED:url_password]@host"),
        ("Authorization: Bearer abcdefgh1", "Authorization: Bearer [REDACTED:authorization]"),
        (f"send bearer {MANY}", "send bearer [REDACTED:bearer_token]"),
        (f"a {BLOCK} b", "a [REDACTED:private_key] b"),
        (f"a\\n{SECRETS['huggingface_token']}", "a\\n[REDACTED:huggingface_token]"),
    ],
)
def test_values_are_replaced_and_their_surroundings_kept(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "password: str = None",
        "token = generate_token()",
        "api_key=os.environ['KEY']",
        "password=${PASSWORD}",
        "http://localhost:8080/x@y",
        "token_usage: 1234567890",
        "the bearer of bad news",
        "task-" + MANY,
        "Password: ",
        "password=[REDACTED:password]",
    ],
)
def test_text_without_secrets_is_kept(text: str) -> None:
    assert redact(text) == text


def test_a_key_block_without_an_end_is_dropped_to_the_end_of_the_text() -> None:
    assert redact(f"a -----BEGIN PRIVATE KEY-----\n{MANY}\nmore") == "a [REDACTED:private_key]"


def test_values_of_environment_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_PHRASE", "correct horse battery")
    monkeypatch.setenv("SHORT", "abc")
    text = "say correct horse battery; password=correct horse battery, abc"
    expected = "say [REDACTED:environment]; password=[REDACTED:environment], abc"
    assert redact(text, environment=["DEPLOY_PHRASE", "SHORT", "UNSET"]) == expected


def test_patterns_of_the_caller_have_a_category() -> None:
    patterns = [("employee", r"E-\d{4}"), re.compile(r"(?i)project zeus")]
    assert redact("E-1234 on Project Zeus", patterns=patterns) == "[REDACTED:employee] on [REDACTED:custom]"


def test_a_plain_replacement_names_no_category() -> None:
    assert redact("password=x", replacement="plain") == "password=[REDACTED]"


def test_keys_and_shapes_are_kept_and_secrets_counted() -> None:
    value = {
        "command": ["mysql", "--password", "hunter2", "-u", "me"],
        "n": 1,
        "headers": {"Authorization": "Basic abcdefgh", "X": None},
        SECRETS["github_token"]: [SECRETS["github_token"], True],
    }
    redacted, counts = asm.Redactor().redact(value)
    assert redacted == {
        "command": ["mysql", "--password", "[REDACTED:password]", "-u", "me"],
        "n": 1,
        "headers": {"Authorization": "[REDACTED:authorization]", "X": None},
        SECRETS["github_token"]: ["[REDACTED:github_token]", True],
    }
    assert counts == {"password": 1, "authorization": 1, "github_token": 1}


def test_thinking_and_reasoning_are_kept_verbatim() -> None:
    parts = [
        {"type": "thinking", "thinking": "password=x", "signature": SECRETS["jwt"]},
        {"type": "redacted_thinking", "data": SECRETS["jwt"]},
        {"type": "reasoning", "encrypted_content": SECRETS["jwt"]},
    ]
    assert asm.Redactor().redact({"content": parts}) == ({"content": parts}, {})


@pytest.mark.parametrize(
    "options",
    [
        {"patterns": ["("]},
        {"patterns": "abc"},
        {"patterns": [1]},
        {"patterns": [("a b", "x")]},
        {"environment": "PATH"},
        {"environment": [""]},
        {"replacement": "other"},
    ],
)
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(asm.ValidationError):
        asm.Redactor(**options)


PIECES = [
    *SECRETS.values(),
    BLOCK,
    "password=",
    "Authorization: ",
    "Bearer ",
    "token: '",
    '"api_key\\": \\"',
    "://user:pw@",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    *(rule.hint for rule in RULES),
    *"sk-=: \"'\\\n@&/[](a1",
    "correct horse",
    "correct",
    "E-1234",
    "[REDACTED:password]",
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(alphabet=WORD, max_size=20)), max_size=14).map("".join)


def in_pieces(redactor: asm.Redactor, text: str, cuts: list[int]) -> str:
    stream = redactor.stream()
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    done = [stream.feed(text[start:end]) for start, end in pairwise(places)]
    return "".join(done) + stream.end()


@pytest.mark.parametrize("patterns", [(), ("E-[0-9]{4}",)])
def test_cuts_do_not_change_the_result(patterns: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHRASE", "correct horse")
    redactor = asm.Redactor(patterns=patterns, environment=["PHRASE"])

    @settings(max_examples=300, deadline=None)
    @given(TEXTS, st.lists(st.integers(min_value=0, max_value=5000), max_size=12))
    def check(text: str, cuts: list[int]) -> None:
        assert in_pieces(redactor, text, cuts) == redactor.redact(text)[0]

    check()


@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_single_characters_do_not_change_the_result(text: str) -> None:
    redactor = asm.Redactor()
    assert in_pieces(redactor, text, list(range(len(text)))) == redactor.redact(text)[0]


def test_a_prompt_is_let_through_at_once() -> None:
    assert asm.Redactor().stream().feed("Password: ") == "Password: "


def steps(text: str) -> int:
    """Return the number of Python's lines that are executed to redact a text."""
    redactor, count = asm.Redactor(), 0

    def trace(_frame: object, _event: str, _argument: object) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        redactor.redact(text)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", ["password: ", "sk-ant-", "://a:", "eyJ-", "-----BEGIN PRIVATE KEY-----"])
def test_steps_grow_with_the_text(unit: str) -> None:
    steps(unit)  # compiles the expressions
    assert steps(unit * 400) <= 5 * steps(unit * 100)


@pytest.mark.parametrize("unit", sorted({rule.hint for rule in RULES if rule.ending is Ending.RUN}))
def test_held_text_is_bounded(unit: str) -> None:
    stream = asm.Redactor().stream()
    given_, let_through = 0, 0
    for _ in range(200):
        given_ += len(unit) * 100
        let_through += len(stream.feed(unit * 100))
        if stream.counts:
            return  # the rest is dropped
    assert given_ - let_through < 4096


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.category} {rule.hint}")
def test_the_hint_of_each_rule_is_searched_for_in_any_text(rule: Rule) -> None:
    secrets = Secrets(["of the environment", "key-of-environment"])
    for text in (rule.hint, f"a{rule.hint}b", rule.hint.upper() if rule.folded else rule.hint):
        found = secrets.expression(f"{text}\n")
        assert found is not None
        assert any(secrets.rules[int(name[1:])] == rule for name in found.groupindex if name[0] == "r")
    assert secrets.expression("nothing") is None
    assert secrets.expression("part of the environment") is not None
