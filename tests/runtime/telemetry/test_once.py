"""A fault is told once, and again when it changed or came back."""

from runtime.telemetry.once import Once


def test_what_stays_as_it_is_is_news_once():
    once = Once()
    told = [once.is_news(said) for said in ("full", "full", "gone", "gone", "full")]
    assert told == [True, False, True, False, True]


def test_what_comes_back_is_news_again():
    once = Once()
    assert once.is_news("full")
    once.forget()
    assert once.is_news("full")
    assert not once.is_news("full")


def test_each_thing_has_its_own_news():
    once = Once()
    assert once.is_news("full", "a")
    assert once.is_news("full", ("b", "stable"))
    once.forget("a")
    assert not once.is_news("full", ("b", "stable"))
    assert once.is_news("full", "a")


def test_nothing_need_be_wrong_to_be_forgotten():
    once = Once()
    once.forget("a")
    assert once.is_news("full", "a")
