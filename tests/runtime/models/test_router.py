import pytest

from bundle.errors import ModelNotFound
from bundle.spec import ModelSpec
from bundle.store import ModelStore
from runtime.errors import BackendError
from runtime.models.registry import ModelRegistry
from runtime.models.router import Deck, Router
from tests.examples import write_bundle
from tests.runtime.models.openers import HeldOpener, Opener

LINEAR = ModelSpec("linear")


@pytest.fixture
def store(tmp_path):
    """Return a store: version 1 is stable, 2 canary, 3 beta, and 4 the newest."""
    store = ModelStore(tmp_path / "models")
    for _ in range(4):
        store.install(lambda folder: write_bundle(folder) and None)
    for label, number in {"stable": 1, "canary": 2, "beta": 3}.items():
        store.set_label("linear", label, number)
    return store


@pytest.fixture
def opener():
    return Opener()


@pytest.fixture
def registry(store, opener):
    return ModelRegistry(store, opener, limit=10)


def versions(registry, traffic, *throws, spec=LINEAR):
    """Return the version that answers at each of these throws of the dice."""
    thrown = iter(throws)
    router = Router(registry, traffic, lambda: next(thrown))
    return [router.get(spec).version for _ in throws]


def test_a_label_gets_its_share(registry):
    throws = (0.0, 0.0999, 0.1, 0.5, 0.9999)
    assert versions(registry, {"canary": 10}, *throws) == [2, 2, 1, 1, 1]


def test_several_labels_get_theirs_one_after_the_other(registry):
    traffic = {"canary": 10, "beta": 20}
    throws = (0.0, 0.0999, 0.1, 0.2999, 0.3, 0.9999)
    assert versions(registry, traffic, *throws) == [2, 2, 3, 3, 1, 1]


@pytest.mark.parametrize(("share", "version"), [(0, 1), (100, 2)])
def test_no_share_is_nothing_and_the_whole_is_all(registry, share, version):
    throws = (0.0, 0.5, 0.9999)
    assert versions(registry, {"canary": share}, *throws) == [version] * 3


def test_of_a_thousand_even_throws_a_tenth_goes_to_the_canary(registry):
    throws = [n / 1000 for n in range(1000)]
    assert versions(registry, {"canary": 10}, *throws).count(2) == 100


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        (ModelSpec("linear", version=4), 4),
        (ModelSpec("linear", label="beta"), 3),
        (ModelSpec("linear", label="stable"), 1),
    ],
)
def test_who_says_which_version_gets_it(registry, spec, version):
    router = Router(registry, {"canary": 100}, lambda: pytest.fail("thrown"))
    assert router.get(spec).version == version


def test_a_label_that_the_model_lacks_takes_nothing(store, registry):
    store.delete_label("linear", "canary")
    traffic = {"canary": 50, "beta": 10}
    assert versions(registry, traffic, 0.0, 0.55, 0.7) == [1, 3, 1]


def test_a_canary_that_cannot_be_loaded_leaves_the_request_to_the_default(
    store, opener, registry, caplog
):
    opener.broken = {2}
    assert versions(registry, {"canary": 100}, 0.0, 0.0) == [1, 1]
    router = Router(registry, {"canary": 100}, lambda: 0.0)
    caplog.clear()
    for _ in range(3):
        assert router.get(LINEAR).version == 1
    warnings = [r for r in caplog.records if r.levelname == "WARNING"]
    assert len(warnings) == 1, "and it is said once"
    assert "linear label canary gets no requests" in warnings[0].getMessage()
    assert "broken weights" in warnings[0].getMessage()


def test_a_canary_that_breaks_again_is_said_again(store, opener, registry, caplog):
    router = Router(registry, {"canary": 100}, lambda: 0.0)

    def break_canary():
        registry.drop("linear")
        opener.broken = {2}
        assert router.get(LINEAR).version == 1

    break_canary()
    registry.drop("linear")
    opener.broken = set()
    assert router.get(LINEAR).version == 2
    break_canary()
    warned = [r for r in caplog.records if r.name == "runtime.models.router"]
    assert len(warned) == 2


def test_a_canary_that_breaks_in_another_way_is_said_again(
    store, opener, registry, caplog, monkeypatch
):
    router = Router(registry, {"canary": 100}, lambda: 0.0)
    get = registry.get
    faults = iter(["broken weights", "no memory", "no memory"])

    def failing(spec, instead=None):
        if spec.label == "canary":
            raise BackendError(next(faults))
        return get(spec, instead)

    monkeypatch.setattr(registry, "get", failing)
    for _ in range(3):
        assert router.get(LINEAR).version == 1
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [sentence.rpartition(": ")[2] for sentence in said] == [
        "broken weights",
        "no memory",
    ]


def test_while_the_canary_loads_the_default_answers(store):
    from concurrent.futures import ThreadPoolExecutor

    opener = HeldOpener(2)
    router = Router(
        ModelRegistry(store, opener, limit=10), {"canary": 100}, lambda: 0.0
    )
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(router.get, LINEAR)
        assert opener.started.wait(10)
        assert router.get(LINEAR).version == 1
        opener.go.set()
        assert loading.result(timeout=10).version == 2


def test_a_model_that_is_not_there_is_not_found(registry):
    router = Router(registry, {"canary": 100}, lambda: 0.0)
    with pytest.raises(ModelNotFound, match="no model 'nosuch'"):
        router.get(ModelSpec("nosuch"))


def test_a_default_that_is_broken_is_its_error(opener, registry):
    opener.broken = {1, 2}
    router = Router(registry, {"canary": 100}, lambda: 0.0)
    with pytest.raises(BackendError, match="version 1 cannot be loaded"):
        router.get(LINEAR)


def test_a_deck_gives_each_share_its_number_of_every_hundred():
    deck = Deck()
    for _ in range(30):
        drawn = sorted(deck() for _ in range(100))
        assert [int(one * 100) for one in drawn] == list(range(100))
    first = [[int(deck() * 100) for _ in range(100)] for _ in range(2)]
    assert first[0] != first[1], "in another order each time"
