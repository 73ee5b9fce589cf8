"""The URL of a database server."""

from __future__ import annotations

from asm_core.errors import ValidationError


def check_server_url(url: str) -> None:
    """Refuse a url whose password would be taken for something else, which messages of the driver would then show.

    Raises:
        ValidationError: it has more than one "@", or a NUL character.
    """
    if url.count("@") > 1:
        message = "The url has more than one @; inside a user name, a password or a setting write it as %40."
        raise ValidationError(message)
    if "\0" in url or "%00" in url:
        message = "The url has a NUL character; no name and no password can have one."
        raise ValidationError(message)
