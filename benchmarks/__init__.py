"""Each backend against a hand-written floor, in one run: ratios, not times."""
