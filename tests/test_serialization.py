from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from spinealign.serialization import NOT_STORED, rebuild, to_plain


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
    cache: object = field(default=None, metadata=NOT_STORED)


WHOLE = Outer(3, {"a": (0.0, 0.5), "b": None}, (Inner("x", None), Inner("y", 0.25)), Inner("z", 1.0))


def test_round_trip():
    assert rebuild(Outer, to_plain(WHOLE)) == WHOLE
    assert rebuild(Outer, {**to_plain(WHOLE), "cache": 1}) == WHOLE


def test_a_field_that_is_not_stored_is_left_out():
    plain = to_plain(Outer(1, {}, cache=object()))
    assert plain == {"count": 1, "ends": {}, "parts": (), "spare": None}


def test_unknown_fields_are_ignored_and_missing_ones_default():
    assert rebuild(Outer, {"count": 3, "ends": {}, "colour": 2}) == Outer(3, {})


def test_a_whole_number_is_read_as_float():
    share = rebuild(Inner, {"name": "x", "share": 1}).share
    assert (share, type(share)) == (1.0, float)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"count": 3.0}, "expected int, got float"),
        ({"count": True}, "expected int, got bool"),
        ({"count": "3"}, "expected int, got str"),
        ({"count": None}, "expected int, got NoneType"),
        ({"ends": []}, "expected an object, got list"),
        ({"ends": {"a": [0.0]}}, "shorter"),
        ({"ends": {"a": [0.0, float("nan")]}}, "not finite"),
        ({"ends": {"a": "01"}}, "expected a list, got str"),
        ({"ends": {"a": [0, 10**400]}}, "expected float, got int"),
        ({"parts": {}}, "expected a list, got dict"),
        ({"parts": [None]}, "expected an object, got NoneType"),
        ({"parts": [{"name": "x"}]}, "missing fields: share"),
        ({"spare": []}, "expected an object, got list"),
        ({"spare": {"name": 1, "share": 1}}, "expected str, got int"),
    ],
)
def test_a_wrong_type_is_a_value_error(changed, words):
    with pytest.raises(ValueError, match=words):
        rebuild(Outer, {**to_plain(WHOLE), **changed})
