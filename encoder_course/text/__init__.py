"""Text to ids and back: normalisation, subword tokenizers, batching and masking."""
