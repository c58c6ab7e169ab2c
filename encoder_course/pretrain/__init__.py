"""Pretraining: data rows, the recipe, one loop, checkpoints."""
