"""The settings that SIGHUP can change while a service runs."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from runtime.config.fields import Config, key

_TLS = frozenset(("server_key", "server_crt"))


@dataclass(frozen=True)
class Renewal:
    """The settings after SIGHUP.

    Attributes:
        config: the old settings, with the new values of all that can change now.
        changed: the keys whose value changes now, as config.json has them.
        restart: the keys whose new value needs a restart.
    """

    config: Config
    changed: tuple[str, ...]
    restart: tuple[str, ...]


def renewal_of(old: Config, new: Config) -> Renewal:
    """Tell what changes now, and what needs a restart.

    Args:
        old: the settings that hold, as they were read.
        new: the settings that were read just now.
    """
    names = {f.name: bool(f.metadata["hot"]) for f in fields(Config)}
    if bool(old.server_key) != bool(new.server_key):
        # A socket speaks TLS or does not; only the pair can be another one.
        names |= dict.fromkeys(_TLS, False)
    differing = [n for n in names if getattr(old, n) != getattr(new, n)]
    hot = [name for name in differing if names[name]]
    return Renewal(
        replace(old, **{name: getattr(new, name) for name in hot}),
        tuple(key(name) for name in hot),
        tuple(key(name) for name in differing if not names[name]),
    )
