"""Who may do what, on which rows and fields: Cedar policies, default deny. See this room's README."""
