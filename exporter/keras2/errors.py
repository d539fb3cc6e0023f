"""The reasons why a file of Keras 2 cannot be read here."""


class Untranslatable(Exception):
    """Keras 3 cannot do what the file says; the message is part of a sentence."""


class NotOfKeras(Untranslatable):
    """A class or function is not Keras's own.

    Args:
        name: the name of the class or function.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:64]!r} is a class or function that is not Keras's")
        self.name = name[:64]
