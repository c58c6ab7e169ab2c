"""Build, pretrain and use transformer encoders.

Modules are read in import order: each imports only from those that a learner has met before.
"""

__version__ = "0.1.0"
