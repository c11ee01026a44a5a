"""The InvarianceExplorer."""
