"""``runtime token``: a new token, and its digest for the service."""

from __future__ import annotations

import secrets

import click

from runtime.access.tokens import digest_of

# A token has as many bits as its digest.
_BYTES = 32


@click.command()
def token() -> None:
    """Make a token for a client, and its SHA-256 for the service."""
    made = secrets.token_urlsafe(_BYTES)
    click.echo(f"token   {made}")
    click.echo(f"sha256  {digest_of(made)}")
    click.echo(
        "The client sends the token as Authorization: Bearer TOKEN (`runtime models`\n"
        "reads it from $MODELS_TOKEN). Put the SHA-256 into config.json, in\n"
        "'writeTokens' or 'predictTokens'.",
        err=True,
    )
