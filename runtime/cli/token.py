"""``runtime token``: a new token, and what the service keeps of it."""

from __future__ import annotations

import secrets

import click

from runtime.access.tokens import digest_of

# As many bits as its digest has.
_BYTES = 32


@click.command()
def token() -> None:
    """Make a token: its client keeps the one, the service the other."""
    made = secrets.token_urlsafe(_BYTES)
    click.echo(f"token   {made}")
    click.echo(f"sha256  {digest_of(made)}")
    click.echo(
        "The client sends the first, as Authorization: Bearer TOKEN (`runtime models`\n"
        "reads it from $MODELS_TOKEN); config.json has the second, in 'writeTokens'\n"
        "or 'predictTokens'.",
        err=True,
    )
