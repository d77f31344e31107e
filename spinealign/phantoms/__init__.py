"""Phantoms: drawn images with known ground truth.

`axial_neck.draw_phantom` draws one axial CT of the neck, `phantom_set.write_phantoms` a collection of them,
`frontal_spine.draw_frontal_spine` and `lateral_spine.draw_lateral_spine` an x-ray of the whole spine, and
`scene.draw_scene` an image that is not CT. To add a phantom, write a function from a seed to a `Phantom`.
"""
