"""Settings are brought to all workers in two steps, or to none."""

import logging

import pytest

from runtime.config import Config, ConfigError, Settings
from runtime.server.orders import Leave, Prepare, Take, Word
from runtime.server.reload import LIMIT_LOOKS, Reload

OLD = Config()


class Crew:
    """Two workers that note their orders, and a file of settings."""

    def __init__(self, config=OLD):
        self.config = config
        self.doubts = ()
        self.error = None
        self.orders = [[], []]
        self.retired = []
        self.checked = []
        self.reload = Reload(
            config,
            self.read,
            self.check,
            lambda index, order: self.orders[index].append(order),
            self.retired.append,
            lambda index: 4711 + index,
            2,
        )

    def check(self, config):
        self.checked.append(config)
        return (f"port {config.port}",)

    def read(self):
        if self.error is not None:
            raise self.error
        return Settings(self.config, {}, self.doubts)

    def say(self, index, refusal=""):
        """Let a worker answer its last order."""
        number = self.orders[index][-1].number
        self.reload.hear(index, Word(0, number, refusal))

    def look(self, looks=LIMIT_LOOKS):
        for _ in range(looks):
            self.reload.look()


@pytest.fixture
def crew(caplog):
    caplog.set_level(logging.WARNING, "runtime.server.reload")
    return Crew()


def kinds(crew):
    return [[type(order) for order in orders] for orders in crew.orders]


def test_all_prepare_before_one_takes(crew, caplog):
    crew.config = Config(rate="5-S", threads=9)
    crew.doubts = ("this is doubtful",)
    crew.reload.begin()
    assert kinds(crew) == [[Prepare], [Prepare]]
    prepared = crew.orders[0][0].config
    # Workers are told how many they are, and keep what needs a restart.
    assert (prepared.rate, prepared.threads, prepared.workers) == ("5-S", 4, 2)
    crew.say(0)
    assert kinds(crew) == [[Prepare], [Prepare]]
    assert crew.reload.config == OLD
    crew.say(1)
    assert kinds(crew) == [[Prepare, Take], [Prepare, Take]]
    assert crew.reload.config == Config(rate="5-S")
    assert crew.reload.reading.restart == ("threads",)
    crew.say(1)
    assert "read anew" not in caplog.text
    crew.say(0)
    assert [record.message for record in caplog.records] == [
        "this is doubtful",
        "port 8083",
        "the settings were read anew; changed: rate",
        "these keys need a restart, and their old values hold: threads",
    ]


def test_a_broken_file_reaches_nobody(crew, caplog):
    crew.error = ConfigError("config.json is not JSON")
    crew.reload.begin()
    assert kinds(crew) == [[Leave], [Leave]]
    assert crew.reload.config == OLD
    assert crew.reload.reading.refused is not None
    assert "the old ones hold: config.json is not JSON" in caplog.text


def test_a_bug_does_not_end_the_service(crew, caplog):
    crew.error = KeyError("a bug")
    crew.reload.begin()
    assert kinds(crew) == [[Leave], [Leave]]
    assert "not foreseen" in caplog.text


def test_one_worker_that_cannot_keeps_all_from_it(crew, caplog):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.say(1, "a file of tokens cannot be read")
    assert kinds(crew) == [[Prepare, Leave], [Prepare, Leave]]
    assert crew.reload.config == OLD
    assert "a file of tokens cannot be read" in caplog.text
    # The next ones are taken.
    crew.reload.begin()
    for _ in range(2):
        crew.say(0)
        crew.say(1)
    assert crew.reload.config == Config(rate="5-S")
    assert crew.reload.reading.refused is None


def test_what_is_wanted_meanwhile_is_read_once_more(crew):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.config = Config(rate="6-S")
    crew.reload.begin()
    crew.reload.begin()
    for _ in range(4):
        crew.say(0)
        crew.say(1)
    assert kinds(crew) == [[Prepare, Take] * 2] * 2
    assert crew.reload.config == Config(rate="6-S")


def test_late_words_change_nothing(crew):
    crew.reload.begin()
    crew.reload.hear(0, Word(0, 7, ""))
    crew.reload.hear(1, Word(0, 7, "no"))
    assert kinds(crew) == [[Prepare], [Prepare]]
    crew.error = ConfigError("no")
    crew.say(0)
    crew.say(1)
    crew.say(0)
    crew.say(1)
    crew.reload.hear(0, Word(0, 1, "no"))
    assert kinds(crew) == [[Prepare, Take], [Prepare, Take]]


def test_a_worker_that_is_replaced_is_asked_anew_or_has_them_already(crew):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.reload.replaced(0)
    assert kinds(crew) == [[Prepare, Prepare], [Prepare]]
    crew.say(0)
    crew.say(1)
    crew.reload.replaced(0)
    assert kinds(crew) == [[Prepare, Prepare, Take], [Prepare, Take]]
    crew.say(1)
    crew.reload.begin()
    assert kinds(crew)[1] == [Prepare, Take, Prepare], "the last one is over"


def test_a_worker_that_ends_between_changes_is_no_matter(crew):
    crew.reload.replaced(1)
    assert kinds(crew) == [[], []]


def test_a_worker_that_is_replaced_after_it_was_ready_is_waited_for(crew):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.reload.replaced(0)
    crew.say(1)
    assert kinds(crew) == [[Prepare, Prepare], [Prepare]], "the new one is not ready"
    crew.say(0)
    assert kinds(crew) == [[Prepare, Prepare, Take], [Prepare, Take]]


def test_a_worker_that_cannot_take_what_it_prepared_is_replaced(crew, caplog):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.say(1)
    crew.say(0)
    crew.say(1, "its network hangs")
    assert crew.retired == [1]
    assert "read anew" not in caplog.text
    crew.reload.replaced(1)
    assert "the settings were read anew; changed: rate" in caplog.text


def test_a_worker_that_does_not_prepare_in_time_keeps_all_from_it(crew, caplog):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.look(LIMIT_LOOKS - 1)
    assert kinds(crew) == [[Prepare], [Prepare]]
    crew.look(1)
    # The one that has prepared drops it. The other one gets nothing more to read.
    assert kinds(crew) == [[Prepare, Leave], [Prepare]]
    assert crew.reload.config == OLD
    assert crew.reload.reading.refused is not None
    assert crew.retired == []
    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "the old ones hold: worker process does not answer: 4712;" in record.message
    assert "`kill 4712`" in record.message


def test_a_late_worker_drops_what_it_prepared_and_follows_the_next_change(crew):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.look()
    crew.say(1)
    assert kinds(crew) == [[Prepare, Leave], [Prepare, Leave]]
    assert crew.orders[1][-1].reading == crew.reload.reading
    assert crew.reload.config == OLD
    crew.reload.begin()
    for _ in range(2):
        crew.say(0)
        crew.say(1)
    assert crew.reload.config == Config(rate="5-S")


def test_while_a_worker_hangs_no_order_fills_its_pipe(crew, caplog):
    crew.reload.begin()
    crew.look()
    for _ in range(3):
        crew.reload.begin()
    assert kinds(crew) == [[Prepare], [Prepare]]
    assert caplog.text.count("worker processes do not answer: 4711 4712;") == 4
    # Others in their places answer, and the next change reaches them.
    crew.reload.replaced(0)
    crew.reload.replaced(1)
    crew.reload.begin()
    for _ in range(2):
        crew.say(0)
        crew.say(1)
    assert kinds(crew) == [[Prepare, Prepare, Take]] * 2


def test_a_refusal_is_told_when_all_have_answered_or_are_late(crew, caplog):
    crew.reload.begin()
    crew.say(0, "a file of tokens cannot be read")
    assert kinds(crew) == [[Prepare], [Prepare]]
    crew.look()
    assert kinds(crew) == [[Prepare, Leave], [Prepare]]
    assert "a file of tokens cannot be read; worker process does not" in caplog.text


def test_a_change_that_was_wanted_meanwhile_is_refused_too(crew, caplog):
    crew.reload.begin()
    crew.reload.begin()
    crew.look()
    assert kinds(crew) == [[Prepare], [Prepare]]
    assert caplog.text.count("the old ones hold") == 2


def test_the_time_begins_anew_for_a_worker_that_just_started(crew):
    crew.reload.begin()
    crew.say(0)
    crew.look(LIMIT_LOOKS - 1)
    crew.reload.replaced(1)
    crew.look(LIMIT_LOOKS - 1)
    crew.say(1)
    assert kinds(crew) == [[Prepare, Take], [Prepare, Prepare, Take]]


def test_each_step_has_its_own_time(crew):
    crew.reload.begin()
    crew.look(LIMIT_LOOKS - 1)
    crew.say(0)
    crew.say(1)
    crew.look(LIMIT_LOOKS - 1)
    crew.say(0)
    crew.say(1)
    assert crew.retired == []
    crew.look()  # nothing is on its way
    assert kinds(crew) == [[Prepare, Take], [Prepare, Take]]


def test_a_worker_that_does_not_take_in_time_is_replaced_once(crew, caplog):
    crew.config = Config(rate="5-S")
    crew.reload.begin()
    crew.say(0)
    crew.say(1)
    crew.say(0, "its network hangs")
    crew.look(2 * LIMIT_LOOKS)
    assert crew.retired == [0, 1]
    assert "and ends: it does not answer" in caplog.text
    crew.reload.replaced(0)
    crew.reload.replaced(1)
    assert "the settings were read anew; changed: rate" in caplog.text


def test_what_will_hold_is_checked_and_not_only_what_was_read(crew):
    """A folder of feedback may fit the new store, and lie in the old one."""
    crew.config = Config(rate="5-S", threads=9)
    crew.reload.begin()
    assert crew.checked == [crew.config, Config(rate="5-S")]


def test_workers_get_the_content_of_files_as_it_was_at_the_last_reading(tmp_path):
    tokens, key, certificate = (tmp_path / name for name in ("t", "k", "c"))
    key.write_bytes(b"key")
    certificate.write_bytes(b"certificate")
    tokens.write_text("a" * 64)
    crew = Crew(
        Config(
            predict_tokens_file=str(tokens),
            predict_tokens=("b" * 64,),
            server_key=str(key),
            server_crt=str(certificate),
        )
    )
    key.write_bytes(b"another key")
    assert crew.reload.held.pair == (b"key", b"certificate")
    crew.reload.begin()
    for _ in range(2):
        crew.say(0)
        crew.say(1)
    held = crew.reload.held
    assert held.config.predict_tokens == ("b" * 64, "a" * 64)
    assert held.config.predict_tokens_file == ""
    assert held.pair == (b"another key", b"certificate")
    told = crew.orders[0][0]
    assert (told.config, told.pair) == held
    # The next reading is refused, and a worker that begins now gets the old ones.
    tokens.write_text("half a li")
    crew.reload.begin()
    assert kinds(crew)[0] == [Prepare, Take, Leave]
    assert crew.reload.held == held
