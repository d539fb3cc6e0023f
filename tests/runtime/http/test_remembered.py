"""Answers for paths are remembered, but not for every path that a client invents."""

from runtime.http.remembered import remembered


def asked_and_found(*paths):
    """Return the paths for which the function itself was asked, and all answers."""
    asked = []

    def find(path):
        asked.append(path)
        return path.upper() if path.startswith("/a") else None

    again = remembered(find)
    return asked, [again(path) for path in paths]


def test_a_path_is_looked_for_once():
    asked, found = asked_and_found("/a", "/b", "/a", "/b")
    assert found == ["/A", None, "/A", None]
    assert asked == ["/a", "/b"]


def test_a_long_path_is_not_kept():
    path = "/a" + "x" * 200
    asked, found = asked_and_found(path, path)
    assert found == [path.upper()] * 2
    assert asked == [path, path]


def test_few_paths_are_kept():
    paths = [f"/{number}" for number in range(1000)]
    asked, _ = asked_and_found(*paths, *paths)
    assert len(asked) == 2000
