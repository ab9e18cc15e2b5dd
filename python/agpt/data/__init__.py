"""How a corpus is read: files and pipes, compressed or not, texts in them, tokenizers."""
