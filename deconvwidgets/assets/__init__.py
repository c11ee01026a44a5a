"""Download of weights and photographs: pinned by SHA-256, verified, and cached."""
