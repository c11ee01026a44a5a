"""What a convnet computes, and how to run it downwards. PyTorch only."""
