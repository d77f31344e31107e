"""Phantoms: drawn images with known ground truth.

`axial_neck.draw_phantom` draws one axial CT of the neck and `phantom_set.write_phantoms` writes a collection of them.
`vertebra.py`, `soft_tissue.py` and `geometry.py` are its parts. `scene.draw_scene` draws an image that is not CT.
To add a phantom, write a module beside `axial_neck.py` with a function from a seed to a `Phantom`.
"""
