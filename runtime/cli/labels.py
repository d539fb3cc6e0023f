"""``runtime models label`` and ``rollback``: the version that a label points to."""

from __future__ import annotations

import click

from bundle.errors import DomainError
from bundle.spec import ModelSpec
from bundle.version_labels import LABEL_NAME, LABEL_RULE, STABLE
from runtime.admin import Admin
from runtime.admin.errors import Unreachable, WorkFailed
from runtime.cli.admin import number_of, on_models
from runtime.cli.output import print_answer, say
from runtime.cli.spec import ANY, NAME

# click folds all lines except those after a \b.
_LABEL_EXAMPLES = """\b
runtime models label mnist:3 canary         canary is version 3
runtime models label mnist@canary stable    stable is canary's version
runtime models label --delete mnist canary
"""


def checked_label(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    """Return a label as it was typed; click tells what is wrong with it."""
    if value is not None and not LABEL_NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} must be {LABEL_RULE}")
    return value


@click.command(epilog=_LABEL_EXAMPLES)
@click.argument("spec", type=ANY, metavar="NAME:VERSION|NAME@LABEL")
@click.argument("label", callback=checked_label)
@click.option("--delete", is_flag=True, help="Take LABEL away from the model NAME.")
@on_models
def label(
    admin: Admin, spec: ModelSpec, label: str, delete: bool, as_json: bool
) -> None:
    """Point LABEL to a version that loads.

    The version with the label 'stable' answers requests that name no version.
    """
    if delete == spec.is_pinned:
        raise click.UsageError(
            "--delete takes NAME LABEL, without a version"
            if delete
            else f"say which version: {spec.name}:VERSION or {spec.name}@LABEL"
        )
    if delete:
        deleted = admin.delete_label(spec.name, label)
        sentence = f"{spec.name}@{label} is deleted; it was {deleted['version']}"
        print_answer(deleted, sentence, as_json)
    else:
        labelled = admin.set_label(spec.name, label, number_of(admin, spec))
        print_answer(labelled, f"{spec.name}@{label} is {labelled['version']}", as_json)


@click.command()
@click.argument("spec", type=NAME, metavar="NAME")
@click.option(
    "--to",
    "target",
    metavar="VERSION",
    type=click.IntRange(0),
    help="Let this version serve.  [default: the highest earlier one that loads]",
)
@on_models
def rollback(admin: Admin, spec: ModelSpec, target: int | None, as_json: bool) -> None:
    """Let an earlier version serve.

    The command points the label 'stable' to it. 'label --delete NAME stable' lets the
    newest version serve again.
    """
    if target is None:
        _step_back(admin, spec.name)
    else:
        admin.set_label(spec.name, STABLE, target)
    serves = admin.model(spec.name)["serves"]
    answer = {"name": spec.name, "label": STABLE, "version": serves}
    print_answer(answer, f"{spec.name} serves version {serves}", as_json)


def _step_back(admin: Admin, name: str) -> None:
    model = admin.model(name)
    serves = model["serves"]
    numbers = [version["version"] for version in model["versions"]]
    for number in sorted(numbers, reverse=True):
        if number >= serves:
            continue
        try:
            admin.set_label(name, STABLE, number)
            return
        except Unreachable:
            raise
        except DomainError as ex:  # the version does not load, or was just deleted
            say(f"not {name}:{number}: {ex}")
    raise WorkFailed(f"{name!r} serves version {serves}, and no earlier version loads")
