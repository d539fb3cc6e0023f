"""The publication of a bundle from a terminal, and the lines that tell of it."""

from __future__ import annotations

from pathlib import Path

from bundle.errors import DomainError
from bundle.version_labels import STABLE
from runtime.admin import Admin, Description
from runtime.admin.parcel import open_parcel
from runtime.cli.asking import curl_line
from runtime.cli.bar import shown
from runtime.cli.output import echo, print_json, say


def publish(
    admin: Admin,
    path: Path,
    shown_as: str,
    label: str | None,
    as_json: bool,
    made: Description | None = None,
) -> None:
    """Publish a bundle, and tell how it is served and asked.

    Args:
        admin: the place to publish it in.
        path: the bundle's folder or archive.
        shown_as: the name of the file or folder that the person gave.
        label: the label that is to point to it; None if none is.
        as_json: print JSON alone.
        made: the description of the bundle, if it was made and tried here.

    Raises:
        DomainError: it is refused; or it is published, and its label is refused.
    """
    with (
        open_parcel(path) as parcel,
        shown(parcel, f"pushing {shown_as}") as archive,
    ):
        published = admin.publish(archive)
    name, number = published["name"], published["version"]
    if label:
        try:
            published = {**published, **admin.set_label(name, label, number)}
        except DomainError as ex:
            raise type(ex)(
                f"{name}:{number} is published, but not labelled {label!r}: {ex}"
            ) from ex
        if label == STABLE and published.get("serves", number) is not None:
            published["serves"] = number
    version = made or _described(admin, published)
    ask = ""
    if version:
        is_pinned = published.get("serves", number) not in (None, number)
        version = {**version, "version": number}
        ask = curl_line(admin.url, version, is_pinned=is_pinned)
    if as_json:
        print_json({**published, "ask": ask})
        return
    echo(f"{name}:{number} {published['backend']}")
    if reason := published.get("fallback_reason"):
        say(f"TensorFlow serves it: {reason}")
    if version and not made and version["proved"] is False:
        say("its model.onnx is unproved; 'exporter convert' makes one with its proof")
    if note := published.get("warm_up"):
        say(f"it is {note}")
    if published.get("serves", number) is None:
        say(
            "the model is unloaded, and answers no requests until it is loaded with"
            f" POST /v2/repository/models/{name}/load"
        )
    elif published.get("serves", number) != number:
        say(f"a request without a version still gets {published['serves']}")
    if ask:
        echo(ask)


def _described(admin: Admin, published: Description) -> Description | None:
    """Describe what was pushed; the answer is None if it is deleted by now.

    Another worker of a server may have the version in memory, and then its inputs and
    its engine are not known.
    """
    try:
        return admin.version(published["name"], published["version"])
    except DomainError:
        return None
