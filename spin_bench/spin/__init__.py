"""Spin (AAAI 2025), re-implemented: saliency, embedding, injection by region, style guidance. See docs/spin.md."""
