"""Evaluation of a model on labelled photographs."""
