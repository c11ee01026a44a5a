"""Files from package indexes and from torchvision, pinned by their digests and kept in a cache folder."""
