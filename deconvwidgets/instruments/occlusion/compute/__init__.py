"""The experiment itself: functions on models, image sets and arrays."""
