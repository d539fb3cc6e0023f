import bundle.errors
import runtime.errors
from bundle.errors import DomainError
from runtime.backends import InputRefused
from runtime.http.errors import STATUS


def leaves(*modules):
    errors = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, DomainError)
    }
    return {
        error for error in errors if not any(e.__bases__[0] is error for e in errors)
    }


def test_every_error_has_a_status():
    assert leaves(bundle.errors, runtime.errors) | {InputRefused} == set(STATUS)
