"""The AblationPanel."""
