"""Requests about contributions, which the widgets of other instruments answer."""
