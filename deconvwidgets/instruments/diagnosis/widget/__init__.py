"""The DiagnosisPanel."""
