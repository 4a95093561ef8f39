"""scikit-learn's classification scores as metrics of plx."""
