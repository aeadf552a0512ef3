"""Another person's yes to one thing: asked for, given out of band, used once; and the webhooks that tell of it."""
