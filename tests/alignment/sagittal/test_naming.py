"""Levels of the bodies in a sagittal slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spinealign.alignment.sagittal.instances import find_bodies, find_sacrum
from spinealign.alignment.sagittal.measuring import body_reasons, measure_sagittal
from spinealign.alignment.sagittal.naming import MISSED, number_bodies
from spinealign.errors import ImageError
from spinealign.phantoms.sagittal_spine import NAMES


@pytest.fixture
def found(probabilities):
    bodies = find_bodies(probabilities)
    return bodies, find_sacrum(probabilities, bodies)


def test_l5_is_the_body_above_s1(found):
    numbering = number_bodies(*found)

    assert numbering.names == NAMES
    assert (numbering.source, numbering.certain, numbering.reasons) == ("S1", True, ())
    assert numbering.probability > 0.9


def test_doubts_leave_the_bodies_counted_from_below(found):
    bodies, sacrum = found
    weak = replace(sacrum, probability=0.6)
    small = replace(sacrum, area=0.6 * bodies[-1].area)
    other = [*bodies[:-2], replace(bodies[-2], l5=0.99), replace(bodies[-1], l5=0.7)]
    several = [*bodies[:-3], *(replace(body, l5=0.97) for body in bodies[-3:-1]), replace(bodies[-1], l5=0.98)]
    unlikely = [*bodies[:-1], replace(bodies[-1], l5=0.4)]
    for given, below, reason in (
        (bodies, None, "S1 is not in view."),
        (bodies, weak, "S1 is not certain."),
        (bodies, small, "Too little of S1"),
        (other, sacrum, "not certain which vertebral body is L5"),
        (several, sacrum, "not certain which vertebral body is L5"),
        (unlikely, sacrum, "not certain which vertebral body is L5"),
        (bodies[-2:], sacrum, "Fewer than 3"),
        (bodies[:-1], sacrum, "not next to S1"),
    ):
        numbering = number_bodies(given, below)

        assert (numbering.source, numbering.certain) == ("bottom", False), reason
        assert any(reason in each for each in numbering.reasons), reason
        assert numbering.names == tuple(f"V{number}" for number in range(len(given), 0, -1))
    assert number_bodies((), None).names == ()


def test_the_probability_falls_with_a_second_likely_body(found):
    bodies, sacrum = found
    numbering = number_bodies([*bodies[:-2], replace(bodies[-2], l5=0.9), replace(bodies[-1], l5=0.98)], sacrum)

    assert (numbering.names, numbering.certain) == (NAMES, True)
    assert numbering.probability == pytest.approx(sacrum.probability * 49 / (49 + 9), abs=0.02)


def test_a_missed_body_takes_the_levels_and_its_gap_is_not_measured(found):
    bodies, sacrum = found
    apart = [*(replace(body, center=(body.center[0], body.center[1] - 20)) for body in bodies[:3]), *bodies[3:]]
    numbering = number_bodies(apart, sacrum)

    assert (numbering.certain, numbering.reasons) == (False, (MISSED,))
    pair = "-".join(numbering.names[2:4])
    assert body_reasons(apart, numbering.names) == {pair: MISSED}
    name = f"slip_{pair.lower().replace('-', '_')}_mm"
    measures = {
        item.name: item for item in measure_sagittal({name: 9.0}, numbering.names, reasons={pair: MISSED}, in_mm=True)
    }
    assert (measures[name].value, measures[name].reason) == (None, MISSED)


def test_levels_are_given_by_hand(found):
    bodies, _ = found
    inside = tuple(bodies[3].center)

    assert number_bodies(bodies, None, lowest="L4").names == ("T10", *NAMES[:-1])
    assert number_bodies(bodies, None, anchor={"L1": inside}).names == ("T10", *NAMES[:-1])
    both = number_bodies(bodies, None, lowest="L4", anchor={"L1": inside})
    assert (both.source, both.certain, both.probability) == ("user", True, 1.0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"lowest": "S1"}, ValueError, "Unknown level 'S1'"),
        ({"anchor": {"L9": (1, 1)}}, ValueError, "Unknown level 'L9'"),
        ({"anchor": {"L4": (2.0, 2.0)}}, ImageError, "in no vertebral body"),
        ({"anchor": {"L4": (-50.0, 1e9)}}, ImageError, "in no vertebral body"),
        ({"lowest": "C3"}, ImageError, "above C1"),
    ],
)
def test_impossible_levels_are_refused(found, given, error, message):
    with pytest.raises(error, match=message):
        number_bodies(found[0], None, **given)


def test_contradicting_levels_are_refused(found):
    bodies, _ = found
    with pytest.raises(ValueError, match="L5, L3 contradict"):
        number_bodies(bodies, None, anchor={"L5": bodies[-1].center, "L3": bodies[-2].center})
    with pytest.raises(ImageError, match="below L5"):
        number_bodies(bodies, None, anchor={"L5": bodies[-2].center})


def test_names_are_unique_and_in_order(found):
    bodies, sacrum = found
    order = [*(f"T{number}" for number in range(1, 13)), *(f"L{number}" for number in range(1, 6))]
    for count in range(3, 8):
        names = number_bodies(bodies[-count:], sacrum).names
        places = [order.index(name) for name in names]
        assert np.diff(places).tolist() == [1] * (count - 1)
