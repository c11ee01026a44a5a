"""The model service: the requests of widgets, and the process-local service that answers."""
