"""A model service elsewhere: an actor of Ray that answers the notebooks of a class, and its client. See docs/how-to/share-a-gpu.md."""
