"""This searches for inputs whose time or memory is too large for their size.

``python -m tests.fuzz.slow COUNT SEED`` asks the application, first with every piece of
every whole input repeated, then with COUNT mutations of more kinds. It prints the
slowest ones, ends with 1 if one is above a bound, and says how to make it again:
``python -m tests.fuzz.slow --again SEED NUMBER FILE`` writes it to a file.
"""

from __future__ import annotations

import ctypes
import faulthandler
import io
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from runtime.wire.tfaas_pb2 import Row
from tests.examples import tar_of, write_bundle
from tests.forms import form
from tests.fuzz import pieces
from tests.fuzz.inputs import Request, mutated
from tests.fuzz.pieces import Input, Place
from tests.fuzz.run import HANG_SECONDS, Fuzzer
from tests.pictures import progressive, saved

# A piece is repeated up to these sizes in bytes: some kB, and nearly the most that may
# be sent.
SIZES = (4_000, 1_000_000)
# Smaller inputs count as this many bytes. Any request costs something that does not
# depend on its size, such as a trial of 10 ms.
LEAST = 10_000
# The bounds are in seconds of processor time. One large picture takes as long as all
# that may be sent; each byte adds a part to that. In the kinds of attack that were
# found, a JPEG's scans took 27 ms a kB, its EXIF segments 10, a PNG's chunks 2.
BASE_SECONDS, MS_PER_KB = 1.5, 0.3
# The bounds are above the memory held before: 16 Mpx in several modes, and a part for
# each byte; JSON's numbers take most of it.
BASE_MB, MB_PER_KB = 600, 0.2

_LIBC = ctypes.CDLL(None)  # this is glibc
_STATUS = Path("/proc/self/status")
_SHOWN = 8


@dataclass(frozen=True)
class Parser:
    """A reader of inputs, with whole inputs for it.

    Attributes:
        name: the name that people read.
        ask: the function that takes an input; no input makes it raise.
        wholes: the whole inputs, in their pieces.
    """

    name: str
    ask: Callable[[bytes], object]
    wholes: list[Input]


class Cost(NamedTuple):
    """The cost of one input."""

    name: str
    number: int
    size: int
    seconds: float
    megabytes: float

    @property
    def ms_per_kb(self) -> float:
        """Return the milliseconds for each 1,000 bytes, at least ``LEAST`` bytes."""
        return self.seconds * 1e6 / max(self.size, LEAST)

    @property
    def mb_per_kb(self) -> float:
        """Return the megabytes for each 1,000 bytes, at least ``LEAST`` bytes."""
        return self.megabytes * 1000 / max(self.size, LEAST)

    @property
    def is_too_much(self) -> bool:
        """Tell whether the cost is above one of the bounds."""
        kb = self.size / 1000
        return (
            self.seconds > BASE_SECONDS + kb * MS_PER_KB / 1000
            or self.megabytes > BASE_MB + kb * MB_PER_KB
        )

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"{self.name:8} {self.size / 1000:8.1f} kB {self.seconds * 1000:8.1f} ms"
            f" {self.megabytes:6.0f} MB {self.ms_per_kb:9.3f} ms/kB"
            f" {self.mb_per_kb:8.3f} MB/kB (input {self.number})"
        )


def inputs_of(
    parsers: list[Parser], count: int, seed: int
) -> Iterator[tuple[Parser, bytes]]:
    """Yield each piece repeated, and ``count`` more inputs; a seed fixes them."""
    for parser in parsers:
        for whole in parser.wholes:
            for place in whole.places:
                for size in SIZES:
                    yield parser, _repeated(whole, place, size)
    for number in range(count):
        dice = random.Random(f"{seed} {number}")
        parser = dice.choice(parsers)
        yield parser, _mutated(dice.choice(parser.wholes), dice)


def _mutated(whole: Input, dice: random.Random) -> bytes:
    place, size = dice.choice(whole.places), dice.choice((1_000, *SIZES))
    match dice.randrange(4):
        case 0:  # one piece is changed, then repeated
            piece = mutated(place.piece, dice)
            return _repeated(whole, place._replace(piece=piece), size)
        case 1:  # several pieces are repeated together
            others = dice.choices([each.piece for each in whole.places], k=2)
            piece = b"".join((place.piece, *others))
            return _repeated(whole, place._replace(piece=piece), size)
        case 2:  # the head is changed, such as its size
            head = mutated(whole.head, dice)
            return _repeated(whole._replace(head=head), place, size)
        case _:  # all pieces come in any order
            many = dice.choices(
                [each.piece for each in whole.places], k=dice.choice((10, 100, 1000))
            )
            return whole.joined(many)[: SIZES[-1]]


def _repeated(whole: Input, place: Place, size: int) -> bytes:
    """Return the input with one piece as often as ``size`` bytes hold it."""
    times = max(1, size // max(1, len(place.piece)))
    return whole.joined([*place.before, place.piece * times, *place.behind])


def measure(parser: Parser, number: int, data: bytes) -> Cost:
    """Hand an input to its parser; measure again if the cost seems too much."""
    cost = _measure_once(parser, number, data)
    return (
        min(cost, _measure_once(parser, number, data), key=lambda c: c.seconds)
        if (cost.is_too_much)
        else cost
    )


def _measure_once(parser: Parser, number: int, data: bytes) -> Cost:
    # Earlier inputs must not count: their memory is given back, and the kernel's peak
    # is reset.
    _LIBC.malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before, start = _memory("VmRSS"), time.process_time()
    parser.ask(data)
    seconds = time.process_time() - start
    return Cost(
        parser.name, number, len(data), seconds, (_memory("VmHWM") - before) / 1000
    )


def _memory(key: str) -> int:
    """Return the process's memory, in kB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise LookupError(key)


def costs_of(parsers: list[Parser], count: int, seed: int) -> Iterator[Cost]:
    """Measure all inputs, in their order."""
    for number, (parser, data) in enumerate(inputs_of(parsers, count, seed)):
        yield measure(parser, number, data)


def parsers_of(fuzzer: Fuzzer, folder: Path) -> list[Parser]:
    """Return a parser for each format that the application reads by a request."""

    def predict(image: bytes) -> None:
        body, headers = form(image=image, model="linear")
        post("/predict/image", body, headers)

    def post(path: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        kinds = {name: value.encode() for name, value in (headers or {}).items()}
        fuzzer.ask(Request("POST", path.encode(), b"", kinds, body))

    gradient = np.arange(256, dtype=np.uint8)[None].repeat(192, 0)
    gray, coloured = Image.fromarray(gradient), Image.new("RGB", (192, 256), "teal")
    animated = {"save_all": True, "append_images": [Image.new("RGB", (192, 256))]}
    bundle = write_bundle(folder / "slow")
    plain = tar_of(bundle, mode="w")
    several, multipart = form(image=[saved(gray)] * 2, model="linear")
    json = {"Content-Type": "application/json"}
    proto = {"Content-Type": "application/protobuf"}
    row = Row(key=["a"], value=[1, 2, 3, 4], model="linear").SerializeToString()
    return [
        Parser("PNG", predict, [pieces.png(saved(gray)), pieces.png(saved(coloured))]),
        Parser(
            "JPEG",
            predict,
            [
                pieces.jpeg(saved(coloured, "JPEG")),
                pieces.jpeg(saved(coloured, "JPEG", progressive=True)),
                pieces.jpeg(progressive(4000, 1)),
            ],
        ),
        Parser("GIF", predict, [pieces.gif(saved(gray, "GIF", comment=b"c" * 300))]),
        Parser(
            "WEBP",
            predict,
            [
                pieces.webp(saved(gray, "WEBP", exif=b"II*\0")),
                pieces.webp(saved(coloured, "WEBP", **animated)),
            ],
        ),
        Parser(
            "BMP", predict, [pieces.bmp(saved(gray, "BMP")), pieces.bmp(_run_lengths())]
        ),
        Parser(
            "JSON",
            lambda data: post("/predict/json", data, json),
            [
                pieces.text(b'{"keys":["a"],"values":[1,2,3,4],"model":"linear"}'),
                pieces.text(b'{"inputs":{"a":[[1,2]],"b":[[3,4]]},"model":"pair"}'),
            ],
        ),
        Parser(
            "inference",
            lambda data: post("/v2/models/linear/infer", data, json),
            [
                pieces.text(
                    b'{"inputs":[{"name":"pixels","shape":[1,2,2,1],"datatype":"FP32",'
                    b'"data":[1,2,3,4]}],"outputs":[{"name":"scores"}]}'
                )
            ],
        ),
        Parser(
            "predict",
            lambda data: post("/v1/models/pair:predict", data, json),
            [
                pieces.text(b'{"instances":[{"a":[1,NaN],"b":[3,4]}]}'),
                pieces.text(b'{"inputs":{"a":[[1,2]],"b":[[3,4]]}}'),
            ],
        ),
        Parser(
            "examples",
            lambda data: post("/v1/models/linear:classify", data, json),
            [pieces.text(b'{"examples":[{"pixels":[1,2,3,4]}],"context":{}}')],
        ),
        Parser(
            "protobuf",
            lambda data: post("/predict/proto", data, proto),
            [pieces.message(row)],
        ),
        Parser(
            "form",
            lambda data: post("/predict/image", data, multipart),
            [pieces.form(several)],
        ),
        Parser(
            "tar",
            lambda data: post("/upload", data),
            [pieces.tar(plain), pieces.tar(plain, is_packed=True)],
        ),
        Parser(
            "gzip",
            lambda data: post("/upload", data, {"Content-Encoding": "gzip"}),
            [pieces.stream(tar_of(bundle))],
        ),
    ]


def _run_lengths() -> bytes:
    """Return a BMP of 1024 x 1024 pixels in runs, which Pillow does not write."""
    image = Image.new("P", (1024, 1024))
    image.putpalette([255, 0, 0, 0, 255, 0])
    written = io.BytesIO()
    image.save(written, "BMP")
    head = bytearray(written.getvalue()[: 54 + 4 * 256])
    head[30] = 1
    return bytes(head) + b"\xff\1\0\0" * 1024


def _make_again(parsers: list[Parser], seed: int, number: int, path: Path) -> None:
    for nth, (parser, data) in enumerate(inputs_of(parsers, number + 1, seed)):
        if nth == number:
            path.write_bytes(data)
            print(measure(parser, number, data))
            return


def main(arguments: list[str]) -> int:
    """Search, or make one input again; the module's text says how."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fuzzer = Fuzzer(folder, max_body_bytes=10_000_000, max_upload_bytes=10_000_000)
        parsers = parsers_of(fuzzer, folder)
        if arguments[0] == "--again":
            seed, number, path = arguments[1:]
            _make_again(parsers, int(seed), int(number), Path(path))
            return 0
        count, seed = map(int, arguments)
        costs = []
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        for cost in costs_of(parsers, count, seed):
            costs.append(cost)
            # If the next input hangs, this line stays as the last one.
            print(cost, end="\r", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        faulthandler.cancel_dump_traceback_later()
    print(f"seed {seed}: {len(costs)} inputs. The slowest by their size:")
    print(*sorted(costs, key=lambda cost: -cost.ms_per_kb)[:_SHOWN], sep="\n")
    print("The slowest of all:")
    print(*sorted(costs, key=lambda cost: -cost.seconds)[:_SHOWN], sep="\n")
    print("The largest in memory:")
    print(*sorted(costs, key=lambda cost: -cost.megabytes)[:_SHOWN], sep="\n")
    wrong = [cost for cost in costs if cost.is_too_much]
    for cost in wrong:
        print(
            f"too much: {cost}\nmake it again:"
            f" python -m tests.fuzz.slow --again {seed} {cost.number} FILE"
        )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
