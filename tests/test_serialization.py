from __future__ import annotations

from dataclasses import asdict, dataclass

import pytest

from spinealign.serialization import rebuild


@dataclass(frozen=True)
class Inner:
    name: str
    share: float | None


@dataclass(frozen=True)
class Outer:
    count: int
    ends: dict[str, tuple[float, float] | None]
    parts: tuple[Inner, ...] = ()
    spare: Inner | None = None


WHOLE = Outer(3, {"a": (0.0, 0.5), "b": None}, (Inner("x", None), Inner("y", 0.25)), Inner("z", 1.0))


def test_what_was_taken_apart_comes_back():
    assert rebuild(Outer, asdict(WHOLE)) == WHOLE


def test_a_whole_number_serves_where_a_share_belongs():
    share = rebuild(Inner, {"name": "x", "share": 1}).share
    assert (share, type(share)) == (1.0, float)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"count": 3.0}, "float where int"),
        ({"count": True}, "bool where int"),
        ({"count": "3"}, "str where int"),
        ({"count": None}, "NoneType where int"),
        ({"ends": []}, "list where names"),
        ({"ends": {"a": [0.0]}}, "shorter"),
        ({"ends": {"a": [0.0, float("nan")]}}, "not finite"),
        ({"ends": {"a": "01"}}, "str where a list"),
        ({"ends": {"a": [0, 10**400]}}, "int where float"),
        ({"parts": {}}, "dict where a list"),
        ({"parts": [None]}, "NoneType where names"),
        ({"parts": [{"name": "x"}]}, "not known: share"),
        ({"spare": {"name": "x", "share": 1, "colour": 2}}, "not known: colour"),
        ({"spare": []}, "list where names"),
        ({"spare": {"name": 1, "share": 1}}, "int where str"),
    ],
)
def test_what_is_not_of_its_kind_is_a_value_error(changed, words):
    with pytest.raises(ValueError, match=words):
        rebuild(Outer, {**asdict(WHOLE), **changed})
