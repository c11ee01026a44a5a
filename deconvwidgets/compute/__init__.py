"""What every experiment shares: inputs, devices, the stream of prepared crops, class probabilities."""
