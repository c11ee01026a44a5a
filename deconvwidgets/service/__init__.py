"""The model service: what a widget may ask, and the process-local service that answers."""
