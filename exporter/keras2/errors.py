"""Why a file of Keras 2 cannot be read here."""


class Untranslatable(Exception):
    """Keras 3 cannot do what the file says; the sentence's part says what."""


class NotOfKeras(Untranslatable):
    """A class or function is somebody's own.

    Args:
        name: its.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:64]!r} is a class or function that is not Keras's")
        self.name = name[:64]
