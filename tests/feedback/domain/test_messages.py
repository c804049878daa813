import pytest

from feedback.domain.errors import Invalid
from feedback.domain.messages import check_messages, messages_sha256, storable

USER = {"role": "user", "content": "Why?"}


def test_other_keys_of_a_message_are_dropped():
    assert check_messages([{**USER, "name": "Ann", "weight": 1}]) == [USER]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([], "must be a list of messages"),
        ("Why?", "must be a list of messages"),
        (None, "must be a list of messages"),
        (["Why?"], r"messages\[0\] needs a role"),
        ([{"role": "owner", "content": "x"}], r"messages\[0\] needs a role"),
        ([{"role": ["user"], "content": "x"}], r"messages\[0\] needs a role"),
        ([{"role": "user"}], r"messages\[0\].content must be a text"),
        ([{"role": "user", "content": 3}], "must be a text"),
        ([{"role": "user", "content": " \n"}], "is empty"),
        ([USER, {"role": "assistant", "content": "x"}], "last message must be the user's"),
        ([USER, {"role": "system", "content": "x"}, USER], "only the first message"),
        ([{"role": "user", "content": "a\x00b"}], r"U\+0000"),
        ([{"role": "user", "content": "a\ud800b"}], r"U\+D800"),
        ([{"role": "user", "content": "x" * 100_001}], "100,001 characters"),
        ([USER] * 101, "101 messages"),
    ],
)
def test_what_is_no_prompt_is_refused_with_the_reason(messages, says):
    with pytest.raises(Invalid, match=says):
        check_messages(messages)


def test_the_hash_tells_roles_and_borders_apart():
    one = [USER, {"role": "assistant", "content": "x"}, USER]
    other = [USER, {"role": "assistant", "content": "x" + "Why?"}]
    third = [{"role": "system", "content": "Why?"}]

    assert len({messages_sha256(messages) for messages in (one, other, third, [USER])}) == 4
    assert messages_sha256([dict(reversed(USER.items()))]) == messages_sha256([USER])


def test_what_no_database_stores_is_replaced_in_model_output():
    assert storable("a\x00b\udfffc é 🙂") == "a\ufffdb\ufffdc é 🙂"
