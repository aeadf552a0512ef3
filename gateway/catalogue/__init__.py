"""What agents choose from: tools found by what people say, toolsets, and the list in the formats of vendors."""
