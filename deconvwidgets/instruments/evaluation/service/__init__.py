"""What the widget may ask of the running service, and who answers."""
