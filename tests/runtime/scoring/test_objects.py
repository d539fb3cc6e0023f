"""Pictures and tables in an object store are scored as those in a folder."""

import numpy as np
import pytest

from bundle.errors import StoreError
from runtime.admin.errors import AdminError
from runtime.scoring import objects
from runtime.scoring.inputs import open_source
from runtime.scoring.objects import fetch, pictures_below, read_objects
from tests.runtime.scoring.makers import CSV, LINEAR, rows_of


@pytest.fixture
def url(place, pictures):
    """Return the URL of the pictures, in a store of objects that is a folder."""
    objects.bucket_of.cache_clear()
    (pictures / ".hidden.png").write_bytes(b"hidden")
    (pictures / ".thumbs").mkdir()
    (pictures / ".thumbs" / "a.png").write_bytes(b"hidden")
    (pictures / "notes.txt").write_text("no picture")
    return pictures.as_uri()


def test_pictures_have_the_scores_and_the_order_of_a_folders(place, url, score):
    done = score(f"{url} --model linear --out scores.csv --workers 1")
    assert (place / "scores.csv").read_text() == CSV
    assert done.stdout.startswith("scores.csv: 5 items, ")


def test_a_damaged_picture_is_rejected_with_its_reason(place, pictures, url, score):
    (pictures / "a.png").write_bytes(b"no picture")
    score(f"{url} --model linear --out scores.csv --workers 1")
    assert (place / "scores.csv").read_text() == CSV.replace(
        "a.png,one,10.0,20.0,7.0\n", ""
    )
    rejects = (place / "scores.rejects.csv").read_text()
    assert rejects.startswith('item,reason\na.png,"Invalid image: it is damaged')


def test_a_picture_that_is_gone_or_too_large_is_no_bytes_but_a_reason(pictures, url):
    found = list(read_objects(url, ["gone.png", "a.png", "notes.txt"], 10))
    assert str(found[0]) == "the picture is not there"
    assert str(found[1]) == "the picture cannot be read: it has more than 10 bytes"
    assert found[2] == b"no picture"


def test_a_picture_that_changed_is_another_input(pictures, url):
    before = pictures_below(url).identity
    assert pictures_below(url).identity == before
    (pictures / "a.png").write_bytes(b"another one")
    assert pictures_below(url).identity != before


def test_a_folder_without_pictures_is_refused(place, url):
    with pytest.raises(AdminError, match="/empty has no pictures: no name in it ends"):
        pictures_below(f"{place.as_uri()}/empty")


def test_a_table_is_fetched_and_goes_on_as_the_same_input(place, url):
    np.savez(place / "rows.npz", x=np.arange(12.0).reshape(3, 4))
    facts = rows_of(width=4)
    sources = [open_source([f"{place.as_uri()}/rows.npz"], facts, "", ()) for _ in "12"]
    assert [source.total for source in sources] == [3, 3]
    assert sources[0].identity == sources[1].identity
    (chunk,) = sources[0].chunks(8, 0)
    assert chunk.content.array.tolist() == np.arange(12.0).reshape(3, 4).tolist()


def test_a_table_that_is_not_there_is_refused(place, url):
    with pytest.raises(AdminError, match=r"/gone\.csv is not there"):
        fetch(f"{place.as_uri()}/gone.csv")


def test_a_url_is_the_only_input(place, url):
    with pytest.raises(AdminError, match="must be the only input; score it alone"):
        open_source([url, place / "rows.csv"], LINEAR, "", ())


def test_a_model_of_rows_takes_no_pictures(url):
    with pytest.raises(AdminError, match="takes no pictures"):
        open_source([url], rows_of(width=4), "", ())


def test_a_missing_package_is_told(url, monkeypatch):
    monkeypatch.setattr("bundle.objects.opening.find_spec", lambda name: None)
    objects.bucket_of.cache_clear()
    with pytest.raises(StoreError, match="needs the package obstore"):
        pictures_below(url)
