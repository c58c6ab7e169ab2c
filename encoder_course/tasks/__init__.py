"""What an encoder is for: each task with the same few verbs (fit, predict or encode, evaluate)."""
