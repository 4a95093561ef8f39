"""What changes the weights: from replayed transitions, or from what just happened."""
