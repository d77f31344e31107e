"""Alignment of the spine: vertebrae, and the angles measured on them.

`vertebra.Vertebra` is one vertebra with its four corners, `vertebra.order_spine` puts corners into order, `cobb`
measures Cobb angles and `severity` classifies them.
"""
