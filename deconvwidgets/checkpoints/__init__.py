"""Checkpoints of a training: their files, the training log beside them, recording and opening."""
