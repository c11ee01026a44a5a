"""Answers the requests of widgets."""
