"""Looking into a model: its tensors, the stages of a forward pass, what its heads attend to."""
