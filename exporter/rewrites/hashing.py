"""``StringToHashBucketFast``, ``…Strong`` and ``SparseCross``, of whole numbers.

Keras's Hashing, HashedCrossing and IntegerLookup's ``farmhash`` write numbers as texts,
which ONNX cannot, and hash the texts. The digits can be computed, and so can their
hashes: FarmHash's Fingerprint64, SipHash-2-4 and TensorFlow's FingerprintCat64. The
hash of a text from outside cannot, because ONNX does not read a text's characters.
"""

from __future__ import annotations

import tensorflow as tf

from exporter.rewrites.decimal import LONGEST, Decimal, decimal
from exporter.rewrites.registry import lowering
from exporter.rewrites.words import (
    remainder,
    rotated_left,
    rotated_right,
    shifted_right,
    word,
    xor,
)

# This constant is from farmhash.cc.
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
# This constant is from fingerprint.h.
_CAT = 0xC6A4A7935BD1E995
# With another width AsString would change the text of a whole number.
_WIDTHS = (-1, 0)


@lowering("StringToHashBucketFast")
def lower_fast(operation: tf.Operation, texts: tf.Tensor) -> tf.Tensor | None:
    """FarmHash's Fingerprint64 of numbers' texts, modulo the buckets, int64."""
    numbers = _numbers(texts)
    if numbers is None:
        return None
    buckets = operation.get_attr("num_buckets")
    return remainder(fingerprint(decimal(numbers)), buckets)


@lowering("StringToHashBucketStrong")
def lower_strong(operation: tf.Operation, texts: tf.Tensor) -> tf.Tensor | None:
    """SipHash-2-4 of numbers' texts, modulo the buckets, int64."""
    numbers = _numbers(texts)
    if numbers is None:
        return None
    mask = (1 << 64) - 1
    first, second = (key & mask for key in operation.get_attr("key"))
    hashed = _siphash(decimal(numbers), first, second)
    return remainder(hashed, operation.get_attr("num_buckets"))


@lowering("SparseCross")
def lower_cross(operation: tf.Operation, *tensors: tf.Tensor) -> list[tf.Tensor] | None:
    """One int64 for the numbers of each row of dense columns ``(N, 1)``."""
    columns = tensors[-len(operation.get_attr("dense_types")) :]
    if (
        operation.get_attr("N")
        or not operation.get_attr("hashed_output")
        or any(c.dtype != tf.int64 or c.shape[1:] != [1] for c in columns)
    ):
        return None
    hashed = word(operation.get_attr("hash_key"))
    for column in columns:
        hashed = _joined(hashed, column[:, 0])
    # 0 buckets mean as many as there are positive numbers.
    buckets = operation.get_attr("num_buckets") or (1 << 63) - 1
    count = tf.shape(columns[0], tf.int64)[0]
    rows = tf.range(count)
    indices = tf.stack([rows, tf.zeros_like(rows)], axis=1)
    return [indices, remainder(hashed, buckets), tf.stack([count, 1])]


def _numbers(texts: tf.Tensor) -> tf.Tensor | None:
    """The numbers that the texts were written from; None if they are real texts."""
    writer = texts.op
    if writer.type != "AsString" or not writer.inputs[0].dtype.is_integer:
        return None
    if writer.get_attr("width") not in _WIDTHS or writer.get_attr("fill"):
        return None
    # A uint64 may have one digit more.
    return writer.inputs[0] if writer.inputs[0].dtype != tf.uint64 else None


def _mixed(x: tf.Tensor) -> tf.Tensor:
    return xor(x, shifted_right(x, 47))


def _joined(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """TensorFlow's FingerprintCat64 of two hashes."""
    by = word(_CAT)
    result = xor(first, by, _mixed(second * by) * by) * by
    return _mixed(_mixed(result) * by)


def fingerprint(text: Decimal) -> tf.Tensor:
    """Fingerprint64, farmhashna::Hash64, of up to ``LONGEST`` bytes, as int64 bits."""
    length = text.length
    by = word(_K2) + length * 2
    k0, k1, k2 = word(_K0), word(_K1), word(_K2)

    # This is the hash of 1 to 3 bytes.
    start = text.forward[..., 0]
    middle = tf.where(length > 1, text.forward[..., 1], start)
    low = start + middle * 256
    high = length + text.backward[..., 0] * 4
    hashed = _mixed(xor(low * k2, high * k0)) * k2

    # This is the hash of 4 to 7 bytes.
    a = length + text.word(0, 4) * 8
    hashed = tf.where(length >= 4, _ended(a, text.word_from_end(4, 4), by), hashed)

    # This is the hash of 8 to 16 bytes.
    a, b = text.word(0) + k2, text.word_from_end(8)
    c = rotated_right(b, 37) * by + a
    d = (rotated_right(a, 25) + b) * by
    hashed = tf.where(length >= 8, _ended(c, d, by), hashed)

    # This is the hash of 17 to 32 bytes.
    a, b = text.word(0) * k1, text.word(8)
    c, d = text.word_from_end(8) * by, text.word_from_end(16) * k2
    first = rotated_right(a + b, 43) + rotated_right(c, 30) + d
    second = a + rotated_right(b + k2, 18) + c
    return tf.where(length >= 17, _ended(first, second, by), hashed)


def _ended(first: tf.Tensor, second: tf.Tensor, by: tf.Tensor) -> tf.Tensor:
    """FarmHash's HashLen16 of two words."""
    a = _mixed(xor(first, second) * by)
    return _mixed(xor(second, a) * by) * by


def _siphash(text: Decimal, first: int, second: int) -> tf.Tensor:
    state = [
        word(first ^ 0x736F6D6570736575),
        word(second ^ 0x646F72616E646F6D),
        word(first ^ 0x6C7967656E657261),
        word(second ^ 0x7465646279746573),
    ]
    last = text.length // 8
    for block in range(LONGEST // 8 + 1):
        taken = text.word(8 * block, min(8, LONGEST - 8 * block))
        # The last block ends with the length.
        ending = tf.where(tf.equal(last, block), text.length * word(1 << 56), 0)
        taken += ending
        turned = [*state[:3], xor(state[3], taken)]
        for _ in range(2):
            turned = _turned(turned)
        turned[0] = xor(turned[0], taken)
        state = [
            tf.where(last >= block, new, old)
            for new, old in zip(turned, state, strict=True)
        ]
    state[2] = xor(state[2], word(0xFF))
    for _ in range(4):
        state = _turned(state)
    return xor(*state)


def _turned(state: list[tf.Tensor]) -> list[tf.Tensor]:
    """One SipRound."""
    a, b, c, d = state
    a, c = a + b, c + d
    b, d = xor(rotated_left(b, 13), a), xor(rotated_left(d, 16), c)
    a, c = rotated_left(a, 32) + d, c + b
    b, d = xor(rotated_left(b, 17), c), xor(rotated_left(d, 21), a)
    return [a, b, rotated_left(c, 32), d]
