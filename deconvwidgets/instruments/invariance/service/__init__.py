"""The requests of an InvarianceExplorer."""
