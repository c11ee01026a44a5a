"""What every experiment shares: model inputs, devices, the stream of prepared crops, class probabilities, jobs."""
