"""The service of a DiagnosisPanel."""
