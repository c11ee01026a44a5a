"""The service of the TrainingPanel: it starts and watches trainings by their folders."""
