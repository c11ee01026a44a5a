"""The TrainingPanel."""
