"""Events as their subscribers may see them; see README.md."""
