from __future__ import annotations

from spinealign.cohort.cohort import Cohort, Sample


def test_the_repr_of_a_sample_has_no_bytes_and_no_patient():
    text = repr(Sample(b"\x89PNG", "fracture", "s1", split="val", name="val/a.png", patient="Doe, Jane"))
    assert text.startswith("Sample(label='fracture', source='s1'")
    assert "PNG" not in text
    assert "Doe" not in text


def test_the_repr_of_a_cohort_counts_its_samples():
    samples = tuple(Sample("a.png", "fracture", "s", split="train") for _ in range(1000))
    assert repr(Cohort("set", samples)) == (
        "Cohort('set', images=1000, sources=1, labels={'fracture': 1000}, splits={'train': 1000})"
    )
