"""A crowd uploads, deletes, predicts and lists at two servers with one store."""

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.end_to_end.conftest import PATIENCE, RUNTIME, serving
from tests.examples import WEIGHTS, linear_onnx, tar_of, write_bundle
from tests.forms import png

FACTORS = (1, 2, 3)
ROUNDS = 20
IMAGE = png([[1, 2], [3, 4]])


def answer_of(factor):
    """Return the scores of pixels 1, 2, 3, 4: by WEIGHTS and times the factor."""
    return [factor, 2 * factor, 7 * factor]


def predict(client, url, name):
    files = {"image": ("x.png", IMAGE)}
    return client.post(f"{url}/predict/image", files=files, data={"model": name})


def write(name, urls, archives):
    """Upload as the only writer: every server must answer with the last upload."""
    dice = random.Random(name)
    with httpx.Client(timeout=PATIENCE) as client:
        for _ in range(ROUNDS):
            if dice.random() < 0.2:
                reply = client.delete(f"{dice.choice(urls)}/delete/{name}")
                assert reply.status_code in (200, 404)
                continue
            factor = dice.choice(FACTORS)
            upload = client.post(
                f"{dice.choice(urls)}/upload", content=archives[name, factor]
            )
            assert upload.status_code == 200, upload.text
            for url in urls:
                reply = predict(client, url, name)
                assert reply.json() == answer_of(factor)
                version = str(upload.json()["version"])
                assert reply.headers["X-Model-Version"] == version


def read(urls, names, done):
    """Check that each answer is whole: one version's scores, or that there is none."""
    dice = random.Random(0)
    with httpx.Client(timeout=PATIENCE) as client:
        while not done.is_set():
            url = dice.choice(urls)
            reply = predict(client, url, dice.choice(names))
            assert reply.status_code in (200, 404), reply.text
            if reply.status_code == 200:
                assert reply.json() in [answer_of(factor) for factor in FACTORS]
            models = client.get(f"{url}/models")
            assert all(model["error"] is None for model in models.json())


def test_nobody_in_a_crowd_gets_anything_but_the_truth(tmp_path):
    names = ("a", "b")
    archives = {
        (name, factor): tar_of(
            write_bundle(
                tmp_path / f"{name}{factor}",
                name=name,
                onnx_bytes=linear_onnx(WEIGHTS * factor),
            )
        )
        for name in names
        for factor in FACTORS
    }
    done = threading.Event()
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(serving(RUNTIME, tmp_path)).url for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read, urls, names, done) for _ in range(2)]
            writers = [pool.submit(write, name, urls, archives) for name in names]
            try:
                for writer in writers:
                    writer.result(PATIENCE)
            finally:
                done.set()
            for reader in readers:
                reader.result(PATIENCE)
    hidden = {path.name for path in (tmp_path / "models").iterdir()} - set(names)
    assert hidden == set(), "nothing is left staged or in the trash"
