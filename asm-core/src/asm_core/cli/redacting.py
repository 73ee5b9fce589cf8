"""The options ``--redact`` and ``--no-redact``, and what the configuration says of them."""

from typing import Annotated

import typer

from asm_core.cli.parsing.store import Choice
from asm_core.config.sections import configured_redaction
from asm_core.errors import ValidationError
from asm_core.redaction import Redactor

RedactOption = Annotated[
    bool | None,
    typer.Option(
        "--redact/--no-redact",
        help="Replace secrets before they are written. The default: if the configuration has a table [redaction].",
        show_default=False,
    ),
]


def chosen_redactor(choice: Choice, redact: bool | None) -> Redactor | None:  # noqa: FBT001  an option
    """Return the redactor of a command; None: it does not redact. Its options are those of the configuration.

    Raises:
        ValidationError: a value of the configuration is invalid.
    """
    if redact is False:
        return None
    config = configured_redaction(choice.config)
    if not (redact or config.enabled):
        return None
    for key, value in config.options.items():
        try:
            Redactor(**{key: value})
        except ValidationError as error:
            message = f"redaction.{key} in {config.place} is invalid: {error.message}"
            raise ValidationError(message) from error
    return Redactor(**config.options)
