"""The secrets that are found, by the formats that their issuers document."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from asm_core.redaction.expressions import (
    BOUNDARY,
    ESCAPED,
    Expression,
    choice,
    literal,
    run,
    sequence,
)

_ALNUM: Final = "[A-Za-z0-9]"
_WORD: Final = r"[A-Za-z0-9_\-]"
_HEX: Final = "[0-9a-fA-F]"
_BASE64: Final = "[A-Za-z0-9+/=]"
_OF_TOKENS: Final = r"[A-Za-z0-9._~+/=\-]"

MARK: Final = "[REDACTED"
"""The beginning of each replacement. What begins with it is not redacted again."""


class Ending(Enum):
    """Where a secret ends that a rule has found."""

    RUN = "run"
    """Where its characters end."""
    HERE = "here"
    """At the end of the match."""
    BLOCK = "block"
    """At the last line of the key block."""
    VALUE = "value"
    """A value follows, which is the secret."""


class Rule(NamedTuple):
    """How a kind of secret is found.

    Attributes:
        category: the key of its count, which stands in the replacement.
        hint: a text that each match contains, in lower case if `folded`.
        head: the beginning of the secret: enough to be certain.
        kept: what stands before the secret and is kept, a part of the match before `head`.
        ending: where it ends.
        characters: the class of its further characters.
        folded: whether the hint is in lower case.
    """

    category: str
    hint: str
    head: Expression
    kept: Expression | None = None
    ending: Ending = Ending.RUN
    characters: str = _WORD
    folded: bool = False

    @property
    def whole(self) -> Expression:
        """What is kept, and the head."""
        return self.head if self.kept is None else sequence(self.kept, self.head)


def _token(category: str, prefix: str, least: int, characters: str = _WORD, *, bounded: bool = False) -> Rule:
    """Return the rule of a prefix, followed by characters; `bounded` if the prefix must begin a word."""
    head = sequence(literal(prefix, BOUNDARY if bounded else ""), run(characters, least))
    return Rule(category, prefix, head, characters=characters)


def _jwt() -> Rule:
    # No other begins within its characters, so that none is read twice.
    start = rf"(?:(?<![A-Za-z0-9_\-].)|{ESCAPED})"
    head = sequence(literal("eyJ", start), run(_WORD, 8, 2048), literal("."), run(_WORD, 8))
    return Rule("jwt", "eyJ", head, characters=r"[A-Za-z0-9_.\-]")


def _bearer(scheme: str) -> Rule:
    kept = sequence(literal(scheme, any_case=True), run(r"[ \t]", 1, 4))
    return Rule("bearer_token", scheme, run(_OF_TOKENS, 16), kept, characters=_OF_TOKENS, folded=True)


def _url_password() -> Rule:
    kept = sequence(literal("://"), run(r"[^\s/:@\"'<>?#]", 0, 128), literal(":"))
    # Up to the last @ before the path: passwords with a bare @ are common.
    secret = sequence(run(r"[^\s/\"'<>]", 1, 1024), literal("@"))
    secret = Expression(rf"(?!\[REDACTED|\$\{{){secret.full[:-1]}(?=@)", secret.begun, secret.length)
    return Rule("url_password", "://", secret, kept, Ending.HERE)


def _block() -> Rule:
    label = choice(literal("PRIVATE KEY BLOCK"), literal("PRIVATE KEY"))
    head = sequence(run("-", 4, 5), run(" ", 0, 1), literal("BEGIN"), run("[ A-Z0-9]", 0, 24), label, run(" ", 0, 1))
    return Rule("private_key", "PRIVATE KEY", sequence(head, run("-", 4)), ending=Ending.BLOCK)


def _named(category: str, *names: str) -> list[Rule]:
    """Return rules for values that are assigned to a name that ends with one of these."""
    # A bracket without a quote is the end of a replacement.
    quote = Expression(r"(?:[\"']\]?)?", r"(?:[\"']\]?)?\Z", 2)
    closing = sequence(run(r"\\", 0, 4), quote, run(r"[ \t]", 0, 3), run("[:=]", 1))
    return [
        Rule(category, name, sequence(literal(name, any_case=True), closing), ending=Ending.VALUE, folded=True)
        for name in names
    ]


PASSWORD: Final = "password"  # noqa: S105  the name of a category
PASSWORD_NAMES: Final = ("password", "passwd", "passphrase", "passwort", "pwd")
SECRET: Final = "secret"  # noqa: S105  the name of a category
SECRET_NAMES: Final = (
    *("secret", "token", "credential", "credentials"),
    *(
        f"{word}{join}key"
        for word in ("api", "access", "secret", "private", "account", "encryption", "signing", "auth", "master")
        for join in ("_", "-", "")
    ),
)
"""The ends of names whose values are secrets, if they are long enough."""
AUTHORIZATION: Final = "authorization"
LEAST_SECRET: Final = 8
"""The smallest length of a value that is assigned to one of `SECRET_NAMES`."""

RULES: Final = (
    _block(),
    _token("anthropic_api_key", "sk-ant-", 16),
    *(_token("openai_api_key", f"sk-{kind}-", 16) for kind in ("proj", "svcacct", "admin", "None")),
    _token("openrouter_api_key", "sk-or-", 16),
    _token("langfuse_api_key", "sk-lf-", 16),
    _token("openai_api_key", "sk-", 20, _ALNUM, bounded=True),  # and DeepSeek, Moonshot and others
    *(_token("stripe_api_key", f"{kind}_{mode}_", 16, _ALNUM) for kind in ("sk", "rk") for mode in ("live", "test")),
    _token("stripe_webhook_secret", "whsec_", 16, _BASE64),
    *(_token("aws_access_key", prefix, 16, "[A-Z0-9]", bounded=True) for prefix in ("AKIA", "ASIA", "ABIA", "ACCA")),
    _token("aws_bedrock_key", "ABSK", 60, _BASE64, bounded=True),
    _token("aws_bedrock_key", "bedrock-api-key-", 40, _BASE64),
    _token("google_api_key", "AIza", 35, bounded=True),
    _token("google_api_key", "AQ.Ab", 30, bounded=True),
    _token("google_oauth_token", "ya29.", 20, r"[A-Za-z0-9_.\-]", bounded=True),
    _token("google_oauth_secret", "GOCSPX-", 20),
    *(_token("github_token", f"gh{kind}_", 30, "[A-Za-z0-9_]") for kind in "pousr"),
    _token("github_token", "github_pat_", 30, "[A-Za-z0-9_]"),
    *(_token("gitlab_token", f"{kind}-", 20) for kind in ("glpat", "gldt", "glrt", "glcbt", "glptt")),
    *(_token("slack_token", f"xox{kind}-", 10, r"[A-Za-z0-9.\-]") for kind in "bpaesrod"),
    _token("slack_token", "xapp-", 16),
    Rule(
        "slack_webhook",
        "hooks.slack.com/",
        run("[A-Za-z0-9/]", 20),
        literal("hooks.slack.com/services/"),
        characters="[A-Za-z0-9/]",
    ),
    Rule(
        "discord_webhook",
        "/api/webhooks/",
        run("[A-Za-z0-9_/-]", 40),
        literal("/api/webhooks/"),
        characters="[A-Za-z0-9_/-]",
    ),
    Rule("telegram_token", ":AA", sequence(literal("AA"), run(_WORD, 31)), literal(":", r"(?<=\d.)")),
    _token("huggingface_token", "hf_", 30, _ALNUM, bounded=True),
    _token("groq_api_key", "gsk_", 30, _ALNUM, bounded=True),
    _token("xai_api_key", "xai-", 40, _ALNUM, bounded=True),
    _token("perplexity_api_key", "pplx-", 30, _ALNUM, bounded=True),
    _token("replicate_token", "r8_", 30, _ALNUM, bounded=True),
    _token("nvidia_api_key", "nvapi-", 40),
    _token("cerebras_api_key", "csk-", 40, _ALNUM, bounded=True),
    _token("fireworks_api_key", "fw_", 20, _ALNUM, bounded=True),
    _token("tavily_api_key", "tvly-", 20),
    _token("langsmith_api_key", "lsv2_", 30, "[A-Za-z0-9_]"),
    _token("notion_token", "ntn_", 30, _ALNUM, bounded=True),
    _token("databricks_token", "dapi", 32, _HEX, bounded=True),
    _token("sendgrid_api_key", "SG.", 40, r"[A-Za-z0-9_.\-]", bounded=True),
    _token("mailgun_api_key", "key-", 32, _HEX, bounded=True),
    _token("twilio_api_key", "SK", 32, _HEX, bounded=True),
    _token("npm_token", "npm_", 30, _ALNUM, bounded=True),
    _token("pypi_token", "pypi-", 50),
    _token("docker_token", "dckr_pat_", 20),
    *(_token("digitalocean_token", f"do{kind}_v1_", 40, _HEX) for kind in "opr"),
    *(_token("shopify_token", f"shp{kind}_", 32, _HEX) for kind in ("at", "ca", "pa", "ss")),
    _token("vault_token", "hvs.", 24, bounded=True),
    _token("grafana_token", "glsa_", 32, "[A-Za-z0-9_]"),
    _token("grafana_token", "glc_", 32, _BASE64, bounded=True),
    _token("linear_api_key", "lin_api_", 30, _ALNUM),
    _token("figma_token", "figd_", 30),
    _token("supabase_key", "sbp_", 40, _HEX, bounded=True),
    _token("supabase_key", "sb_secret_", 20),
    _token("postman_api_key", "PMAK-", 40),
    _token("tailscale_key", "tskey-", 20),
    _token("age_secret_key", "AGE-SECRET-KEY-1", 50, "[A-Z0-9]"),
    _token("onepassword_token", "ops_eyJ", 60, _BASE64),
    _jwt(),
    _url_password(),
    _bearer("bearer"),
    *_named(AUTHORIZATION, AUTHORIZATION),
    *_named(PASSWORD, *PASSWORD_NAMES),
    *_named(SECRET, *SECRET_NAMES),
)

BLOCK_END: Final = re.compile(r"-{4,5} ?END[ A-Z0-9]{0,24}PRIVATE KEY(?: BLOCK)? ?-{4}")
BLOCK_END_LENGTH: Final = 80
