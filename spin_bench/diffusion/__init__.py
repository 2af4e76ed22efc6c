"""The vocabulary that all methods share: sampler, guidance, latents, blending, region attention."""
