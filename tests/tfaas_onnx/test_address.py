"""The address of a server is checked before anything is sent."""

import pytest

from tfaas_onnx import WrongArgument
from tfaas_onnx.address import address_of


def test_an_address_has_the_token_and_shows_no_password():
    address = address_of("http://service/ml/", "a-token")
    assert address.headers["Authorization"] == "Bearer a-token"
    assert address_of("http://me:secret@service/ml/").place == "http://service/ml"


@pytest.mark.parametrize(
    "url",
    ["localhost:8083", "ftp://host", "http://", "http://[::1", "", "http://h/?a=b"],
)
def test_a_text_that_is_no_url_is_refused(url):
    with pytest.raises(WrongArgument, match="^url "):
        address_of(url)


@pytest.mark.parametrize("token", ["a token", "t\u00f6ken", "two\nlines"])
def test_a_token_that_is_none_is_not_shown(token):
    with pytest.raises(WrongArgument, match="^token has characters that no") as told:
        address_of("http://service", token)
    assert token not in str(told.value)


@pytest.mark.parametrize("header", ["", "X Token", "X-Token:"])
def test_a_header_that_is_none_is_refused(header):
    with pytest.raises(WrongArgument, match="is no header's name"):
        address_of("http://service", "a-token", header)


def test_one_header_has_no_place_for_a_token_and_a_password():
    with pytest.raises(WrongArgument, match="both need the header Authorization"):
        address_of("http://me:secret@service", "a-token")
    address = address_of("http://me:secret@service", "a-token", "X-Token")
    assert address.headers["X-Token"] == "Bearer a-token"


def test_an_authority_that_is_none_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no PEM")
    with pytest.raises(WrongArgument, match="^cacert .* holds no certificate"):
        address_of("https://service", cacert=tmp_path / "ca.pem")
    with pytest.raises(WrongArgument, match="cannot be read: No such file"):
        address_of("https://service", cacert=tmp_path / "nosuch.pem")
