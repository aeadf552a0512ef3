"""Moving a route group from its legacy system to its replacement: stages, proof, and the way back."""
