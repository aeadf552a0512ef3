"""COBOL copybooks: source text → words → items → a layout in bytes → compiled decoders and encoders."""
