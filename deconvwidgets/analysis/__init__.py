"""The paper's experiments, each a module on the engine and the data."""
