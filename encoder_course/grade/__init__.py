"""Grading: hand out labs, read what comes back, run it where it can do no harm, keep the points."""
