"""The service of the AblationPanel."""
