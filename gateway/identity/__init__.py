"""Who asks: API keys made, kept and proved; and the gateway's own secret keys."""
