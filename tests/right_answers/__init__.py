"""Right answers to every exercise, each written in another way than its reference.

A module here has the name of a module of `encoder_course.check` and one dict,
`RIGHT = {"3.2": [first, second]}`: at least two answers for code, at least one for a prediction.
"""
