"""Projecting a unit's activation to pixel space."""
