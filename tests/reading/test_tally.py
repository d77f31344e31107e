from __future__ import annotations

from spinealign.reading.tally import Tally, counted


def test_kinds_are_counted_with_the_first_example():
    tally, other = Tally(), Tally()
    tally.add("text file", "a.txt")
    other.add("text file", "b.txt")
    other.add("file of unknown kind", "c")
    tally.update(other)
    assert (tally.total(), str(tally)) == (3, "2 text files (a.txt), 1 file of unknown kind (c)")
    assert counted(1200, "directory without images") == "1,200 directories without images"
