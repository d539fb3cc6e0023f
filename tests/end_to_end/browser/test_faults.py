"""A fault that a page has without a word of its test fails the test."""

import pytest


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("console.error('it is broken')", "it is broken"),
        ("setTimeout(() => { throw new Error('nobody caught it') })", "nobody caught"),
        ("new Image().src = 'http://lab.example/a.png'", "http://lab.example/a.png"),
        ("new Image().src = 'http://192.0.2.1/a.png'", "http://192.0.2.1/a.png"),
    ],
)
def test_a_fault_is_found_unless_it_is_expected(page, faults, script, fault):
    # The last message comes after the fault.
    with page.expect_console_message(lambda message: message.text == "done"):
        page.evaluate(f"() => {{ {script}; setTimeout(() => console.log('done')) }}")
    with pytest.raises(AssertionError, match=fault):
        faults.check()
    faults.expect(fault, "net::ERR_NAME_NOT_RESOLVED")
