"""A reader of base64 text, which gives the bytes that the text stands for."""

from __future__ import annotations

import binascii

from bundle.upload import Readable
from runtime.errors import InvalidInput

_CHUNK = 1 << 18
# Encoders break lines after 64 or 76 characters.
_BLANKS = b" \t\r\n"


class Base64Reader:
    """A stream that decodes another one while it is read; it skips blanks.

    Args:
        text: a stream of base64, in RFC 4648's standard alphabet, padded.
    """

    def __init__(self, text: Readable) -> None:
        self._text = text
        self._undecoded = b""
        self._decoded = b""
        self._has_ended = False

    def read(self, size: int = _CHUNK, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        Raises:
            InvalidInput: the text is not base64, or is cut short.
        """
        while not self._decoded:
            chunk = self._text.read(_CHUNK)
            if not chunk:
                if self._undecoded:
                    raise InvalidInput("the base64 text is cut short")
                return b""
            self._decode(chunk)
        part, self._decoded = self._decoded[:size], self._decoded[size:]
        return part

    def _decode(self, chunk: bytes) -> None:
        text = self._undecoded + chunk.translate(None, _BLANKS)
        whole = len(text) - len(text) % 4
        self._undecoded = text[whole:]
        try:
            if text and self._has_ended:
                raise binascii.Error
            self._decoded = binascii.a2b_base64(text[:whole], strict_mode=True)
        except binascii.Error as ex:
            raise InvalidInput(
                "the upload is not base64 text, and its Content-Encoding says base64;"
                " make it with: base64 FILE"
            ) from ex
        self._has_ended = self._has_ended or text[:whole].endswith(b"=")
